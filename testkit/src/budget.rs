//! What methods may cost, in a file beside the tests: a change that makes one dearer fails, with
//! the figure, until somebody says that it may.
//!
//! ```toml
//! [token.transfer]
//! gas_max = 3161
//! keys_max = 2
//! output_bytes_max = 80
//! ```
//!
//! The file is written, or brought up to date, by running the tests with `TOLLWAY_BUDGET=update`.
//! Gas is exact, whatever the machine, so there is no tolerance.

use crate::Figures;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What one method may cost.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MethodBudget {
    /// The most gas of a call that succeeds.
    pub gas_max: u64,
    /// The most keys that a call declares.
    pub keys_max: u64,
    /// The most bytes of a call's events and return value.
    pub output_bytes_max: u64,
    /// Touches without a declaration, in all calls: of a method that declares nothing on purpose,
    /// because nobody can know what it touches. Left out, it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub misses_max: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// By contract and method.
type Budget = BTreeMap<String, BTreeMap<String, MethodBudget>>;

/// Compares figures with the budget in a file.
///
/// # Panics
/// If the file can't be read; if a method costs more than it says, touches keys that it does not
/// declare, or is not in it; if a method that is in it was never called. The message has all of
/// these, a line each.
pub fn check(figures: &Figures, file: &Path) {
    if std::env::var_os("TOLLWAY_BUDGET").is_some_and(|what| what == "update") {
        return write(figures, file);
    }
    let text = std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{}: {error}; {UPDATE}", file.display()));
    let budget =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let faults = faults(figures, &budget);
    assert!(
        faults.is_empty(),
        "{} is not kept:\n{}\nIf that is right, {UPDATE}.",
        file.display(),
        faults.join("\n")
    );
}

const UPDATE: &str = "run the tests with TOLLWAY_BUDGET=update";

fn write(figures: &Figures, file: &Path) {
    let text = toml::to_string_pretty(&spent(figures)).expect("figures are plain");
    std::fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

fn spent(figures: &Figures) -> Budget {
    let mut budget = Budget::new();
    for (contract, method, figures) in figures.iter() {
        let spent = MethodBudget {
            gas_max: figures.gas().map_or(0, |gas| gas[2]),
            keys_max: figures.keys_max,
            output_bytes_max: figures.output_bytes_max,
            // Whoever declares something has to declare it all.
            misses_max: if figures.keys_max == 0 { figures.misses } else { 0 },
        };
        budget.entry(contract.to_owned()).or_default().insert(method.to_owned(), spent);
    }
    budget
}

fn faults(figures: &Figures, budget: &Budget) -> Vec<String> {
    let mut faults = Vec::new();
    for (contract, methods) in &spent(figures) {
        for (method, spent) in methods {
            let name = format!("  {contract}.{method}");
            let Some(allowed) = budget.get(contract).and_then(|methods| methods.get(method)) else {
                faults.push(format!("{name} has no budget"));
                continue;
            };
            let parts = [
                ("gas", spent.gas_max, allowed.gas_max),
                ("declared keys", spent.keys_max, allowed.keys_max),
                ("bytes out", spent.output_bytes_max, allowed.output_bytes_max),
            ];
            for (what, spent, allowed) in parts.into_iter().filter(|(_, spent, most)| spent > most)
            {
                let percent = 100.0 * (spent as f64 / allowed.max(1) as f64 - 1.0);
                faults.push(format!("{name}: {spent} {what}, {allowed} may be ({percent:+.1} %)"));
            }
        }
    }
    for (contract, method, figures) in figures.iter() {
        let allowed = budget.get(contract).and_then(|methods| methods.get(method));
        let misses = figures.misses;
        if misses <= allowed.map_or(0, |allowed| allowed.misses_max) {
            continue;
        }
        faults.push(format!(
            "  {contract}.{method}: {misses} touches of keys that it does not declare"
        ));
    }
    for (contract, methods) in budget {
        for method in methods.keys().filter(|method| figures.get(contract, method).is_none()) {
            faults.push(format!("  {contract}.{method} has a budget, but was never called"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TestChain;

    fn chain() -> TestChain {
        let mut chain = TestChain::new();
        let [alice, bob] = chain.accounts(["alice", "bob"]);
        let token = chain.deploy(tollway_contracts_wasm::TOKEN, &alice);
        chain.run(token.call(alice, "mint", (bob, 5u128))).succeeded();
        chain.run(token.call(bob, "transfer", (alice, 2u128))).succeeded();
        chain.run(token.call(bob, "burn", 9u128)).reverted_with("InsufficientBalance");
        chain
    }

    #[test]
    fn what_was_spent_is_within_what_was_spent() {
        let chain = chain();
        assert_eq!(faults(chain.figures(), &spent(chain.figures())), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_fault_is_told_by_name_and_figure() {
        let chain = chain();
        let mut budget = spent(chain.figures());
        let methods = budget.get_mut("token").expect("it was called");
        let transfer = methods.get_mut("transfer").expect("it was called");
        transfer.gas_max = transfer.gas_max * 10 / 11;
        transfer.keys_max -= 1;
        methods.remove("mint");
        methods.insert("approve".into(), methods["burn"]);
        let faults = faults(chain.figures(), &budget);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults[0].contains("token.mint has no budget"));
        assert!(faults[1].contains("token.transfer") && faults[1].contains("gas"));
        assert!(faults[1].contains("+10.0 %"), "{}", faults[1]);
        assert!(faults[2].contains("declared keys"));
        assert!(faults[3].contains("token.approve has a budget, but was never called"));
    }
}
