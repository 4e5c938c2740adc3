//! Snapshots bring the whole state over, and nothing else.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use tollway_state::{
    Backend, Head, Height, MemoryBackend, WriteBatch,
    conformance::random::Dice,
    snapshot::{Export, Progress, SNAPSHOT_FORMAT, SnapshotError, import},
};

/// The head of a stream.
const HEAD_BYTES: usize = 80;

fn filled(keys: u64) -> MemoryBackend {
    let mut backend = MemoryBackend::new();
    let mut dice = Dice(keys);
    let mut batch = WriteBatch::new(Height(1));
    for number in 0..keys {
        let value = vec![number as u8; dice.below(100) as usize];
        batch.put(format!("key {number}").as_bytes(), &value).unwrap();
    }
    backend.commit(&[batch, WriteBatch::new(Height(2))]).unwrap();
    backend
}

fn exported(backend: &dyn Backend) -> Vec<u8> {
    let mut stream = Vec::new();
    Export::of(backend).unwrap().write(&mut stream, 0, &mut |_| ()).unwrap();
    stream
}

fn import_all(stream: &[u8], backend: &mut dyn Backend) -> Result<Head, SnapshotError> {
    import(&mut &stream[..], backend, None, &mut |_| ())
}

#[test]
fn the_state_comes_over() {
    for keys in [0, 1, 5000, 30_000] {
        let backend = filled(keys);
        let stream = exported(&backend);
        let mut copy = MemoryBackend::new();
        assert_eq!(import_all(&stream, &mut copy).unwrap(), backend.head());
        assert_eq!(exported(&copy), stream);
        // The chain goes on, and back to the import but not further.
        let mut next = WriteBatch::new(Height(3));
        next.put(b"more", b"").unwrap();
        copy.commit(&[next]).unwrap();
        let history = copy.history_mut().unwrap();
        assert_eq!(history.oldest(), Height(2));
        assert!(history.rollback(Height(1)).is_err());
        assert_eq!(history.rollback(Height(2)).unwrap(), backend.head());
    }
}

#[test]
fn export_needs_little_memory_and_goes_on_where_it_stopped() {
    let backend = filled(30_000);
    let stream = exported(&backend);
    let export = Export::of(&backend).unwrap().with_memory(100_000);
    assert!(export.chunks() > 4);
    let mut slow = Vec::new();
    let mut seen: Vec<Progress> = Vec::new();
    export.write(&mut slow, 0, &mut |progress| seen.push(progress)).unwrap();
    assert!(slow == stream, "memory changes nothing");
    assert_eq!(seen.len(), export.chunks() as usize);
    assert_eq!(seen.last().unwrap().chunks_done, export.chunks());
    let head_bytes = stream.len() - seen.last().unwrap().bytes as usize;
    let mut parts = stream[..head_bytes + seen[2].bytes as usize].to_vec();
    export.write(&mut parts, 3, &mut |_| ()).unwrap();
    assert!(parts == stream, "two parts are the whole");
}

#[test]
fn import_goes_on_after_it_was_broken_off() {
    let backend = filled(300_000);
    let stream = exported(&backend);
    let mut copy = MemoryBackend::new();
    let cut = import_all(&stream[..stream.len() / 10 * 9], &mut copy);
    assert!(matches!(cut, Err(SnapshotError::Cut { .. })), "{cut:?}");
    assert!(copy.tree().len() > 100_000, "what came is kept: {}", copy.tree().len());
    assert_eq!(copy.head().height, Height(0));
    assert_eq!(import_all(&stream, &mut copy).unwrap(), backend.head());
    assert_eq!(import_all(&stream, &mut copy).unwrap(), backend.head(), "once more does nothing");
}

#[test]
fn an_export_is_of_its_moment() {
    let mut backend = filled(20_000);
    let export = Export::of(&backend).unwrap();
    let before = exported(&backend);
    let mut batch = WriteBatch::new(Height(3));
    (0..5000).for_each(|n| batch.remove(format!("key {n}").as_bytes()).unwrap());
    backend.commit(&[batch]).unwrap();
    let mut stream = Vec::new();
    export.write(&mut stream, 0, &mut |_| ()).unwrap();
    assert!(stream == before);
}

#[test]
fn any_change_is_refused() {
    let backend = filled(20_000);
    let stream = exported(&backend);
    let mut dice = Dice(5);
    for round in 0..600 {
        let mut changed = stream.clone();
        let at = if round < HEAD_BYTES { round } else { dice.below(stream.len() as u64) as usize };
        changed[at] ^= 1 + dice.below(255) as u8;
        let mut copy = MemoryBackend::new();
        let error = import_all(&changed, &mut copy).unwrap_err();
        let by_name = match round < HEAD_BYTES {
            true => matches!(
                error,
                SnapshotError::NotASnapshot { .. } | SnapshotError::NewerFormat { .. }
            ),
            false => matches!(error, SnapshotError::Wrong { .. } | SnapshotError::Cut { .. }),
        };
        assert!(by_name, "byte {at}: {error}");
        assert_eq!(copy.head().height, Height(0));
    }
}

#[test]
fn any_cut_is_refused_by_number() {
    let backend = filled(10_000);
    let stream = exported(&backend);
    let mut ends = vec![HEAD_BYTES];
    let export = Export::of(&backend).unwrap();
    let all = &mut |progress: Progress| ends.push(HEAD_BYTES + progress.bytes as usize);
    export.write(&mut Vec::new(), 0, all).unwrap();
    let mut dice = Dice(6);
    for _ in 0..200 {
        let at = dice.below(stream.len() as u64) as usize;
        let error = import_all(&stream[..at], &mut MemoryBackend::new()).unwrap_err();
        let Some(number) = ends.partition_point(|end| *end <= at).checked_sub(1) else {
            assert!(matches!(error, SnapshotError::NotASnapshot { .. }), "{error}");
            continue;
        };
        let expected = format!("snapshot is cut in chunk {number} of {}", export.chunks());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn chunks_of_another_state_are_refused() {
    let (one, other) = (filled(10_000), filled(10_001));
    let (stream, others) = (exported(&one), exported(&other));
    let mixed = [&stream[..HEAD_BYTES], &others[HEAD_BYTES..]].concat();
    let error = import_all(&mixed, &mut MemoryBackend::new()).unwrap_err();
    assert!(matches!(error, SnapshotError::Wrong { number: 0, .. }), "{error}");
    let expected = Some(other.head());
    let error =
        import(&mut &stream[..], &mut MemoryBackend::new(), expected, &mut |_| ()).unwrap_err();
    assert!(matches!(error, SnapshotError::OtherState { .. }), "{error}");
}

#[test]
fn a_store_that_holds_something_is_refused() {
    let stream = exported(&filled(1000));
    let mut past = filled(10);
    let error = import_all(&stream, &mut past).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store is at height 2, a snapshot is imported into an empty one"
    );
    let mut filled = MemoryBackend::new();
    let mut batch = WriteBatch::new(Height(0));
    batch.put(b"something", b"else").unwrap();
    filled.commit(&[batch]).unwrap();
    let error = import_all(&stream, &mut filled).unwrap_err();
    assert!(matches!(error, SnapshotError::NotEmpty { .. }), "{error}");
}

#[test]
fn newer_and_hostile_streams() {
    let stream = exported(&filled(1000));
    let mut newer = stream.clone();
    newer[16..20].copy_from_slice(&(SNAPSHOT_FORMAT + 1).to_le_bytes());
    let error = import_all(&newer, &mut MemoryBackend::new()).unwrap_err();
    assert!(matches!(error, SnapshotError::NewerFormat { .. }), "{error}");
    // Sizes that nothing follows take no memory.
    let mut large = stream.clone();
    large[HEAD_BYTES + 8..HEAD_BYTES + 12].copy_from_slice(&(1u32 << 30).to_le_bytes());
    let error = import_all(&large, &mut MemoryBackend::new()).unwrap_err();
    assert!(matches!(error, SnapshotError::Cut { number: 0, .. }), "{error}");
    large[HEAD_BYTES + 8..HEAD_BYTES + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = import_all(&large, &mut MemoryBackend::new()).unwrap_err();
    assert!(matches!(error, SnapshotError::Wrong { number: 0, .. }), "{error}");
}
