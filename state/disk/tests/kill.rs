//! A process that commits blocks is killed at random moments; no acknowledged block is lost.
//!
//! The process is this test again, told by its environment what to do. `TOLLWAY_TEST_KILLS` sets
//! how often it is killed, 15 times by default.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{Scratch, chain, small};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};
use tollway_state::{Backend, Height, WriteBatch, conformance::random::Dice};
use tollway_state_disk::{DiskBackend, DiskOptions, Durability};

const DIRECTORY: &str = "TOLLWAY_TEST_KILL_DIRECTORY";
const DURABILITY: &str = "TOLLWAY_TEST_KILL_DURABILITY";
const GROUP_MAX: u64 = 3;

fn options(blocks: u64) -> DiskOptions {
    let durability = match blocks {
        1 => Durability::EveryBlock,
        _ => Durability::EveryBlocks(blocks),
    };
    DiskOptions { durability, ..small() }
}

/// Commits blocks until it is killed. A test that does nothing unless it is the child.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let blocks = std::env::var(DURABILITY).unwrap().parse().unwrap();
    let mut backend = DiskBackend::create(directory.as_ref(), options(blocks)).unwrap();
    let mut dice = Dice(u64::from(std::process::id()));
    // After a line `floor h`, the store never opens before height h again.
    let say = |what: &str, height: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{what} {height}").unwrap();
        out.flush().unwrap();
    };
    loop {
        let head = backend.head().height.0;
        match dice.below(40) {
            0 => backend.prune(Height(head.saturating_sub(20))).unwrap(),
            1 => {
                let oldest = backend.history().unwrap().oldest().0;
                let to = head - dice.below((head - oldest).min(5) + 1);
                say("floor", to.min(backend.durable_head().height.0));
                backend.history_mut().unwrap().rollback(Height(to)).unwrap();
            }
            2 => {
                backend.flush().unwrap();
            }
            _ => {
                let blocks: Vec<WriteBatch> =
                    (1..=1 + dice.below(GROUP_MAX)).map(|n| chain::block(head + n)).collect();
                backend.commit(&blocks).unwrap();
            }
        }
        say("floor", backend.durable_head().height.0);
        say("head", backend.head().height.0);
    }
}

#[test]
fn no_acknowledged_block_is_lost() {
    kill_often(1);
}

#[test]
fn no_durable_block_is_lost() {
    kill_often(6);
}

fn kill_often(durability: u64) {
    let kills = std::env::var("TOLLWAY_TEST_KILLS").map_or(15, |kills| kills.parse().unwrap());
    let scratch = Scratch::new();
    let mut reference = chain::Reference::new();
    let mut dice = Dice(durability);
    let (mut floor, mut head) = (0, 0);
    let (mut ahead, mut last) = (0, 0);
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(DIRECTORY, scratch.path())
            .env(DURABILITY, durability.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines = std::thread::spawn(move || out.lines().map_while(Result::ok).collect());
        std::thread::sleep(Duration::from_micros(3_000 + dice.below(200_000)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.code().is_none(), "the child ended by itself: {status}");
        let lines: Vec<String> = lines.join().unwrap();
        for line in lines {
            let height = |rest: &str| rest.parse::<u64>().ok();
            if let Some(height) = line.strip_prefix("floor ").and_then(height) {
                floor = height;
            } else if let Some(height) = line.strip_prefix("head ").and_then(height) {
                head = height;
            }
        }
        let Ok(backend) = DiskBackend::open(scratch.path(), options(durability)) else {
            assert_eq!(floor, 0, "kill {kill}: only a store not yet made may not open");
            continue;
        };
        let opened = backend.head().height.0;
        assert!(opened >= floor, "kill {kill}: {opened} was opened, {floor} was acknowledged");
        assert!(opened <= head.max(last) + GROUP_MAX, "kill {kill}: {opened} after {head}");
        reference.check(&backend);
        assert_eq!(reference.check_past(&backend), 0);
        ahead += u64::from(opened > floor);
        (floor, head, last) = (opened, opened, opened);
    }
    println!("{kills} kills, head {head}, {ahead} times ahead of the last acknowledged block");
}
