//! The command from outside: what it prints, and the code that it exits with.

mod support;

use serde_json::Value;
use std::io::Write;
use support::{Scratch, fails, json_lines, prints, read, tollway};
use tollway_benches::suite::{KINDS, Kind};

const PAYMENTS: &str = "examples/payments.json";

#[test]
fn help_names_every_command() {
    let help = prints(&["--help"]);
    for command in [
        "demo",
        "inspect",
        "plan",
        "trace",
        "replay",
        "new",
        "build",
        "test",
        "check-upgrade",
        "client",
        "abi",
        "bench",
        "state",
        "export",
        "import",
        "samples",
        "reference",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in:\n{help}");
    }
    fails(&[], 2, "Usage: tollway <COMMAND>");
    fails(&["trace", "--threads", "0"], 2, "expected a number from 1 to 256");
    assert!(prints(&["trace", "--help"]).contains("ui.perfetto.dev"));
}

#[test]
fn inspect_shows_methods_and_conflicts() {
    let page = prints(&["inspect", "token"]);
    for part in [
        "transfer(to: Address, amount: u128)",
        "add balances[caller]",
        "add balances[to]",
        "a.caller = b.from and a.spender = b.caller",
    ] {
        assert!(page.contains(part), "{part:?} is not in:\n{page}");
    }
    let documents = json_lines(&["inspect", "pair", "--with", "token", "--json"]);
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["name"], "pair");
    assert_eq!(documents[0]["code_hash"].as_str().map(str::len), Some(64));
    assert!(documents[0].to_string().contains("through imm.token0.transfer"));
}

#[test]
fn inspect_reads_what_samples_writes() {
    let scratch = Scratch::new("samples");
    prints(&["samples", &scratch.path("")]);
    let from_file = json_lines(&["inspect", &scratch.path("dex.wasm"), "--json"]);
    let from_name = json_lines(&["inspect", "dex", "--json"]);
    assert_eq!(from_file[0]["code_hash"], from_name[0]["code_hash"]);
    assert_eq!(from_file[0]["conflicts"], from_name[0]["conflicts"]);
}

#[test]
fn inspect_refuses_what_is_no_contract() {
    let scratch = Scratch::new("garbage");
    let garbage = scratch.write("garbage.wasm", "not wasm");
    fails(&["inspect", &garbage], 1, "garbage.wasm is no contract: ");
    fails(
        &["inspect", "nothing.wasm"],
        1,
        "cannot read nothing.wasm, and no sample contract has this name (",
    );
}

#[test]
fn plan_names_chains_and_hot_keys() {
    let text = prints(&["plan", "--block", PAYMENTS]);
    for part in
        ["16 calls", "longest chain: 2 calls", "token.balances[alice]", "token.balances[shop]"]
    {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let documents = json_lines(&["plan", "--block", PAYMENTS, "--json"]);
    assert_eq!(documents[0]["plan"]["critical_path_calls"], 2);
    let adders = documents[0]["hot_keys"].as_array().map(|keys| {
        keys.iter()
            .find(|key| key["name"] == "token.balances[shop]")
            .map(|key| key["adders"].clone())
    });
    assert_eq!(adders, Some(Some(13.into())));
}

#[test]
fn plan_says_what_another_plan_would_allow() {
    let alice = "token.balances[alice]=none";
    let args = ["plan", "--block", PAYMENTS, "--what-if", alice, "--what-if", "token.balances=add"];
    let text = prints(&args);
    for part in ["longest chain without it", "as it is", alice, "all of these"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let documents = json_lines(&[&args[..], &["--json"]].concat());
    let (plan, what_if) = (&documents[0]["plan"], &documents[0]["what_if"]);
    // Planned again without a change, it is the same plan.
    assert_eq!(what_if[0]["longest_chain"], plan["critical_path_calls"]);
    assert_eq!(what_if[0]["speedup"][1], plan["ideal_speedup"]["8"]);
    // Views of shop's and alice's balances wait, each for itself.
    assert_eq!(what_if[1]["longest_chain"], 2);
    assert_eq!(what_if.as_array().map(Vec::len), Some(4));
    let swaps = ["plan", "--workload", "swaps", "--dist", "hot", "--calls", "200", "--json"];
    let sharded = json_lines(&[&swaps[..], &["--what-if", "dex.reserves=shard:8"]].concat());
    let chains = [0, 1].map(|at| sharded[0]["what_if"][at]["longest_chain"].as_u64());
    assert!(chains[1] < chains[0], "{chains:?}");
    let without = sharded[0]["hot_keys"][0]["chain_without"].as_u64();
    assert!(without < chains[0], "{without:?} {chains:?}");
    fails(
        &["plan", "--block", PAYMENTS, "--what-if", "gold=add"],
        1,
        "no call of the block touches",
    );
    fails(&["plan", "--block", PAYMENTS, "--what-if", "gold"], 2, "expected KEY=add");
}

#[test]
fn trace_writes_pictures_and_a_chrome_trace() {
    let scratch = Scratch::new("trace");
    let [svg, html, chrome] =
        ["lanes.svg", "sub/lanes.html", "lanes.json"].map(|name| scratch.path(name));
    let args = [
        "trace",
        "--block",
        PAYMENTS,
        "--threads",
        "2",
        "--svg",
        &svg,
        "--html",
        &html,
        "--chrome",
        &chrome,
    ];
    let text = prints(&args);
    assert!(text.contains("2 workers · 16 calls"), "{text}");
    assert!(text.contains("15 ok, 2 ran again in repair, 1 reverted"), "{text}");
    assert!(read(&svg).starts_with("<svg") && read(&svg).contains("2 workers · 16 calls"));
    assert!(read(&html).starts_with("<!doctype html>"));
    let trace: Value = serde_json::from_str(&read(&chrome)).expect("the Chrome trace is JSON");
    let slices = trace["traceEvents"]
        .as_array()
        .map(|events| events.iter().filter(|event| event["cat"] == "call").count());
    assert_eq!(slices, Some(16));
}

#[test]
fn trace_of_generated_swaps_is_json() {
    let args = [
        "trace",
        "--workload",
        "swaps",
        "--dist",
        "hot",
        "--calls",
        "50",
        "--threads",
        "3",
        "--json",
    ];
    let documents = json_lines(&args);
    assert_eq!(documents[0]["trace"]["calls"].as_array().map(Vec::len), Some(50));
    assert_eq!(documents[0]["trace"]["hot_keys"][0]["name"], "dex.reserves[0]");
    assert_eq!(documents[0]["plan"]["critical_path_calls"], 50);
}

#[test]
fn blocks_in_files_are_checked() {
    let scratch = Scratch::new("scenario");
    let good = read(&format!("{}/{PAYMENTS}", env!("CARGO_MANIFEST_DIR")));
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from:?} is in the example");
        scratch.write("block.json", &good.replacen(from, to, 1))
    };
    let broken = with("\"accounts\"", "accounts");
    fails(&["plan", "--block", &broken], 1, "block.json:2:3: ");
    let unknown = with("\"caller\": \"bob\"", "\"caller\": \"bobby\"");
    fails(
        &["plan", "--block", &unknown],
        1,
        "block.json: calls[1].caller: no account or contract of this file is named \"bobby\"",
    );
    let misspelt = with("\"amount\": 240", "\"amout\": 240");
    fails(
        &["trace", "--block", &misspelt],
        1,
        "block.json: calls[4].args: \"amout\" is not one of: to, amount",
    );
    fails(&["plan", "--block", &scratch.path("absent.json")], 1, "absent.json: No such file");
    let disjoint = ["plan", "--workload", "swaps", "--dist", "disjoint", "--calls", "10001"];
    fails(&disjoint, 1, "a disjoint block has at most 10000 calls");
}

/// A swap at 30 bp on a pair of 1,000,000 and 2,000,000.
const SWAPS: &str = "\
block,tx,log,dex,pair,token0,token1,reserve0_before,reserve1_before,amount0_in,amount1_in,amount0_out,amount1_out,\
reserve0_after,reserve1_after,fee_bp,fit,k_holds_30bp,before_from,sender,to,tx_from
5,0,1,other,0x01,0x02,0x03,1000000,2000000,1000,0,0,1992,1001000,1998008,30,both,1,state,0x04,0x04,0x04
";

/// The file above, with addresses as long as they are.
fn swaps(scratch: &Scratch) -> String {
    let zeros = "0".repeat(38);
    scratch.write("swaps.csv", &SWAPS.replace(",0x0", &format!(",0x{zeros}0")))
}

#[test]
fn replay_swaps_agrees_with_the_record() {
    let scratch = Scratch::new("swaps");
    let file = swaps(&scratch);
    let reports = json_lines(&["replay", "swaps", &file, "--threads", "2", "--json"]);
    let number = |field: &str| reports[0][field].as_u64();
    assert_eq!(
        ["rows", "exact", "explained", "mismatched", "threads"].map(number),
        [Some(1), Some(1), Some(0), Some(0), Some(2)]
    );
    assert_eq!(reports[0]["state_root"], reports[0]["oracle_root"]);
    assert!(prints(&["replay", "swaps", &file]).contains("equal"));
}

#[test]
fn replay_swaps_fails_where_the_record_is_another() {
    let scratch = Scratch::new("mismatch");
    let text = read(&swaps(&scratch)).replace("1992,1001000,1998008", "1991,1001000,1998009");
    let file = scratch.write("wrong.csv", &text);
    let run = tollway(&["replay", "swaps", &file, "--json"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report: Value =
        serde_json::from_str(run.stdout.trim()).expect("the report is one JSON line");
    assert_eq!(report["mismatched"], 1);
}

#[test]
fn malformed_tables_are_named_with_their_line() {
    let scratch = Scratch::new("malformed");
    let text = read(&swaps(&scratch)).replace("2000000,1000,", "2000000,1e3,");
    let file = scratch.write("swaps.csv", &text);
    fails(&["replay", "swaps", &file], 1, "swaps.csv:2: amount0_in is \"1e3\"");
    let file = scratch.write("swaps.csv", "block,tx\n");
    fails(&["replay", "swaps", &file, "--json"], 1, "swaps.csv:1: expected the columns");
    fails(&["replay", "access", &scratch.path("")], 1, "txs.csv.gz");
}

/// Three transactions of one block: the second reads what the first wrote, all pay one fee account.
fn recorded(scratch: &Scratch) -> String {
    let files = [
        (
            "txs.csv.gz",
            "block,tx,type,status,gas_limit,gas_used,from,to,value_wei,nonce,calldata_bytes,selector,logs,transfers,v2_swaps,v3_swaps\n\
             7,0,0,1,90000,20000,0xa,0xb,0,0,0,,0,0,0,0\n\
             7,1,0,1,90000,30000,0xa,0xb,0,1,0,,0,0,0,0\n\
             7,2,0,1,90000,50000,0xa,0xb,0,2,0,,0,0,0,0\n",
        ),
        ("keys.csv.gz", "block,key,kind,address,slot\n7,0,S,0xabcdefabcdef,5\n7,1,F,0xc,\n"),
        (
            "access.csv.gz",
            "block,tx,key,mode,changed,own\n7,0,0,x,1,0\n7,0,1,f,1,0\n7,1,0,r,0,0\n7,1,1,f,1,0\n7,2,1,f,1,0\n",
        ),
    ];
    for (name, text) in files {
        let file = std::fs::File::create(scratch.path(name)).expect("a temporary file can be made");
        let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packer.write_all(text.as_bytes()).expect("a temporary file can be written");
        packer.finish().expect("a temporary file can be finished");
    }
    scratch.path("")
}

#[test]
fn replay_access_follows_the_rule() {
    let scratch = Scratch::new("access");
    let dir = recorded(&scratch);
    let chain = |rule: &str| {
        let records =
            json_lines(&["replay", "access", &dir, "--rule", rule, "--threads", "2", "--json"]);
        assert_eq!((&records[0]["block"], &records[0]["calls"]), (&7.into(), &3.into()));
        assert_eq!(records[0]["gas_total"], 100_000);
        assert_eq!(records[0]["ideal_speedup"].as_object().map(|ideal| ideal.len()), Some(4));
        let summary = &records[1]["summary"];
        assert_eq!(
            (records.len(), &summary["blocks"], &summary["rule"]),
            (2, &1.into(), &rule.into())
        );
        assert_eq!(summary["reached_of_ideal"], records[0]["reached_of_ideal"]);
        assert_eq!(summary["simulated"].as_array().map(Vec::len), Some(8));
        ["critical_path_calls", "critical_path_gas"].map(|field| records[0][field].as_u64())
    };
    assert_eq!(chain("all"), [Some(3), Some(100_000)]);
    assert_eq!(chain("nofee"), [Some(2), Some(50_000)]);
    assert_eq!(chain("credit"), [Some(2), Some(50_000)]);
    let text = prints(&["replay", "access", &dir, "--threads", "2"]);
    for part in ["1 recorded block, rule all", "over the ideal there", "possible", "not modelled"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    // One thread has nothing to be compared with.
    assert!(!prints(&["replay", "access", &dir, "--threads", "1"]).contains("simulated"));
}

#[test]
fn recorded_blocks_have_real_key_names() {
    let scratch = Scratch::new("recorded");
    let dir = recorded(&scratch);
    let text = prints(&["trace", "--access", &dir, "--number", "7", "--threads", "2"]);
    assert!(text.contains("storage 0xabc…bcdef [5]"), "{text}");
    fails(&["plan", "--access", &dir, "--number", "8"], 1, "has no block 8");
    fails(&["plan", "--access", &dir], 2, "--number");
}

/// A bench with one measured block on 1 and 2 threads: its rows, which have these fields, and what
/// it says of more threads.
fn bench(args: &[&str], fields: &[&str]) {
    let args = [&["bench"], args, &["--threads", "1,2", "--blocks", "1"]].concat();
    let mut records = json_lines(&[&args[..], &["--json"]].concat());
    let last = records.pop().expect("there is a last line");
    assert_eq!(records.len(), 2);
    for (record, threads) in records.iter().zip([1, 2]) {
        assert!(fields.iter().all(|field| !record[field].is_null()), "{record}");
        assert_eq!(record["threads"], threads);
    }
    let scaling = &last["scaling"];
    let numbers = |list: &str, field: &str| -> Vec<u64> {
        let list = scaling[list].as_array().expect("a list");
        list.iter().filter_map(|entry| entry[field].as_u64()).collect()
    };
    assert_eq!(numbers("curve", "workers"), [1, 2, 4, 8, 16, 32, 64, 128]);
    assert_eq!(numbers("checks", "threads"), [1, 2]);
    let parts = scaling["costs"]["parts"].as_array().expect("a list");
    let names: Vec<_> = parts.iter().filter_map(|part| part["part"].as_str()).collect();
    assert_eq!(names, ["decode", "resolve", "plan", "lanes", "settle", "rest", "commit"]);
    for field in ["call_ns", "next_ns", "edge_ns", "grab_ns", "look_ns", "steal_ns"] {
        assert!(scaling["costs"][field].as_f64() >= Some(0.0), "{scaling}");
    }
    assert!(scaling["limits"].as_str().is_some_and(|limits| limits.contains("NUMA")));
    let text = prints(&args);
    for part in [&format!("{}/s", args[1]), "efficiency", "quiet runs", "not modelled"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn bench_swaps_prints_a_line_for_each_thread_count() {
    bench(
        &["swaps", "--dist", "hot", "--variant", "monolith"],
        &[
            "variant",
            "dist",
            "threads",
            "block",
            "blocks",
            "ns_per_swap_min",
            "ns_per_swap_median",
            "ns_per_swap_max",
            "swaps_per_s_median",
            "gas_per_swap",
            "reserves_fnv",
            "balances_fnv",
        ],
    );
}

const CROWD_FIELDS: &[&str] = &[
    "workload",
    "dist",
    "threads",
    "block",
    "blocks",
    "ns_per_call_min",
    "ns_per_call_median",
    "ns_per_call_max",
    "calls_per_s_median",
    "speedup",
    "quiet_blocks",
    "gas_per_call",
    "state_root",
];

#[test]
fn bench_payments_and_votes_print_lines_too() {
    bench(&["payments", "--payers", "uniform"], CROWD_FIELDS);
    bench(&["votes"], CROWD_FIELDS);
}

#[test]
fn one_thread_count_has_no_curve() {
    let records = json_lines(&["bench", "votes", "--threads", "2", "--blocks", "1", "--json"]);
    assert_eq!(records.len(), 1);
    assert!(records[0]["speedup"].is_null() && records[0]["scaling"].is_null());
}

#[test]
fn demo_writes_pictures_of_all_levels() {
    let scratch = Scratch::new("demo");
    let text = prints(&["demo", "--quick", "--out", &scratch.path("out")]);
    for level in ["disjoint", "zipf1024", "zipf64", "hot"] {
        assert!(text.contains(&format!("\n{level} ")), "{level} is not in:\n{text}");
        assert!(read(&scratch.path(&format!("out/{level}.svg"))).starts_with("<svg"));
        let trace = read(&scratch.path(&format!("out/{level}.trace.json")));
        serde_json::from_str::<Value>(&trace).expect("the Chrome trace is JSON");
    }
    assert!(text.contains("dex.reserves[0]"), "{text}");
    for Kind { name, .. } in KINDS {
        assert!(text.contains(&format!("\n{name} ")), "{name} is not in:\n{text}");
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let note = "unsharded_pool is sharded_pool without its shards.";
    assert!(words.join(" ").contains(note), "{text}");
    assert!(read(&scratch.path("out/suite.svg")).starts_with("<svg"));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(read(&scratch.path("out/index.html")).matches("<svg").count(), 5);
}

#[test]
fn reference_prints_the_committed_page() {
    let committed = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/host-functions.md"));
    assert_eq!(prints(&["reference"]), committed);
}
