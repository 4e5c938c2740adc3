//! A block of a test as a picture, and the figures of its calls.

use tollway_contracts_wasm::TOKEN;
use tollway_testkit::TestChain;
use tollway_testkit::tollway::Address;

#[test]
fn a_block_is_drawn_with_the_names_of_the_test() {
    let mut chain = TestChain::new();
    let [alice, shop] = chain.accounts(["alice", "shop"]);
    let token = chain.deploy(TOKEN, &alice);
    let payers: Vec<Address> = (0..20).map(|n| chain.account(&format!("payer {n}"))).collect();
    chain.block(payers.iter().map(|payer| token.call(alice, "mint", (*payer, 5u128)))).succeeded();
    let pays = payers.iter().map(|payer| token.call(*payer, "transfer", (shop, 5u128)));
    let asks = (0..2).map(|_| token.call(shop, "balance_of", shop));
    let block = chain.block(pays.chain(asks));
    let folder = std::env::temp_dir().join(format!("tollway-picture-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let read = |name: &str| {
        let file = folder.join(name);
        block.succeeded().write_picture(&file);
        std::fs::read_to_string(file).unwrap()
    };
    let (svg, html) = (read("block.svg"), read("block.html"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("token.balances[shop]"), "{svg}");
    assert!(html.starts_with("<!doctype html>") && html.contains("token.transfer"));

    let figures = chain.figures();
    let transfer = figures.get("token", "transfer").unwrap();
    // All at once; each left two balances.
    assert_eq!((transfer.lanes_max, transfer.written_bytes_max), (20, 32));
    let asked = figures.get("token", "balance_of").unwrap();
    assert_eq!((asked.lanes_max, asked.written_bytes_max), (2, 0));
    assert!(figures.to_string().contains("lanes"));
}

#[test]
#[should_panic(expected = "a picture is an .svg or an .html file")]
fn other_endings_are_refused() {
    TestChain::new().block([]).write_picture("block.png");
}
