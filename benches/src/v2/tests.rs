use super::*;
use crate::table::tests::Scratch;

pub(crate) const HEADER: &str = "block,tx,log,dex,pair,token0,token1,reserve0_before,reserve1_before,amount0_in,amount1_in,amount0_out,amount1_out,reserve0_after,reserve1_after,fee_bp,fit,k_holds_30bp,before_from,sender,to,tx_from";

/// A line at block 5, log `log`, of a pair at 1,000,000 / 2,000,000.
pub(crate) fn line(log: u32, amounts: [u128; 4], after: [u128; 2], fit: &str) -> String {
    let [in0, in1, out0, out1] = amounts;
    let [after0, after1] = after;
    let address = |number: u32| format!("0x{number:040x}");
    let (pair, token0, token1, user) = (address(1), address(2), address(3), address(4));
    format!(
        "5,0,{log},other,{pair},{token0},{token1},1000000,2000000,{in0},{in1},{out0},{out1},\
         {after0},{after1},{fit},state,{user},{user},{user}"
    )
}

fn good() -> String {
    line(1, [1_000, 0, 0, 1_992], [1_001_000, 1_998_008], "30,both,1")
}

fn read_lines(lines: &[String]) -> Result<Vec<RecordedSwap>, String> {
    let scratch = Scratch::new();
    let text = format!("{HEADER}\n{}\n", lines.join("\n"));
    let directory = format!("{}/", scratch.0.display());
    read(&scratch.write("s.csv", text.as_bytes()))
        .map_err(|error| error.to_string().replace(&directory, ""))
}

fn check_refused(from: &str, to: &str, expected: &str) {
    let line = good();
    assert!(line.contains(from), "{from:?} is in {line:?}");
    assert_eq!(read_lines(&[line.replacen(from, to, 1)]), Err(expected.to_string()));
}

#[test]
fn lines_become_swaps() {
    let swaps = read_lines(&[good()]).unwrap();
    assert_eq!((swaps[0].line, swaps[0].block), (2, 5));
    assert_eq!(swaps[0].pair, Address::from_u64(1));
    assert_eq!(swaps[0].trade().map(|trade| trade.amount_out), Some(1_992));
    assert_eq!((swaps[0].fit, swaps[0].fee_bp), (Fit::Both, Some(30)));
}

#[test]
fn wrong_lines_are_named() {
    check_refused("5,0,1", "5,0", "s.csv:2: expected 22 columns, found 21");
    check_refused(
        "both",
        "any",
        "s.csv:2: fit is \"any\", expected one of out, in, both, slack, two_sided, below_30bp",
    );
    check_refused("30,both", ",both", "s.csv:2: fee_bp is \"\", expected a number below 10000");
    check_refused(
        "30,both",
        "10000,both",
        "s.csv:2: fee_bp is \"10000\", expected a number below 10000",
    );
    check_refused("both,1", "both,2", "s.csv:2: k_holds_30bp is \"2\", expected 0 or 1");
    check_refused(
        ",1000000,",
        ",0,",
        "s.csv:2: reserve0_before is \"0\", expected a decimal number above 0",
    );
    check_refused(
        "1001000",
        "5192296858534827628530496329220096",
        "s.csv:2: reserve0_after is \"5192296858534827628530496329220096\", expected a decimal number below 2^112",
    );
    check_refused(
        "other,0x",
        "other,",
        "s.csv:2: pair is \"0000000000000000000000000000000000000001\", expected 0x and 40 hexadecimal digits",
    );
    let twice = read_lines(&[good(), good()]);
    let expected = "s.csv:3: block 5, transaction 0, log 1 is not after the line above";
    assert_eq!(twice, Err(expected.to_string()));
}

fn check_contradiction(line: String, expected: Option<&str>) {
    let swaps = read_lines(&[line]).unwrap();
    assert_eq!(swaps[0].contradiction().as_deref(), expected);
}

#[test]
fn contradictions_are_found() {
    check_contradiction(good(), None);
    let swap = |out, fit: &str| line(1, [1_000, 0, 0, out], [1_001_000, 2_000_000 - out], fit);
    check_contradiction(swap(1_989, ",slack,1"), None);
    check_contradiction(swap(1_998, ",below_30bp,0"), None);
    check_contradiction(swap(1_998, "0,both,0"), None);
    check_contradiction(
        line(1, [1_000, 5, 0, 1_992], [1_001_000, 1_998_013], ",two_sided,1"),
        None,
    );
    check_contradiction(swap(1_992, "30,both,0"), Some("k_holds_30bp should be 1"));
    check_contradiction(swap(1_993, "30,both,1"), Some("k_holds_30bp should be 0"));
    check_contradiction(swap(1_992, "30,out,1"), Some("Out does not fit with fee_bp Some(30)"));
    check_contradiction(swap(1_991, "30,both,1"), Some("Both does not fit with fee_bp Some(30)"));
    check_contradiction(swap(1_992, ",slack,1"), Some("Slack does not fit with fee_bp None"));
    check_contradiction(
        line(1, [1_000, 0, 0, 1_992], [1_001_001, 1_998_008], "30,both,1"),
        Some("reserve 0 before + in - out is not the one after"),
    );
}

#[test]
fn real_swaps_do_not_contradict_themselves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet/v2_swaps.csv");
    if !path.is_file() {
        println!("skipped: no recorded swaps at {}", path.display());
        return;
    }
    let swaps = read(&path).unwrap();
    assert_eq!(swaps.len(), 410);
    for swap in swaps {
        assert_eq!(swap.contradiction(), None, "line {}", swap.line);
    }
}
