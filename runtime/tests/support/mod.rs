//! What the integration tests share: contracts built from WAT and an ABI, and a [`World`] that
//! holds every block it runs against the oracle.
#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod puppet;

use std::borrow::Cow;
use std::fmt::Write;
use tollway::host_api::abi::{ABI_SECTION, ABI_VERSION};
use tollway::host_api::functions::{HOST_FUNCTIONS, HOST_MODULE, WordType};
use tollway::host_api::{
    Abi, AccessTemplate, Event as EventType, Expr, Field, Method, Mode, Mutability, StorageField,
    Type,
};
use tollway::kept_state::{Backend, MemoryBackend};
use tollway::oracle::Oracle;
use tollway::{
    Address, Block, Call, CodeHash, Compiler, Config, Failure, Gas, Height, Instantiate, Limits,
    Outcome, Receipt, Root, Runtime,
};

/// Who calls, where it does not matter.
pub(crate) const ALICE: Address = Address::from_u64(0xa11ce);

/// Enough for any call here that is not about gas.
pub(crate) const PLENTY: Gas = Gas(10_000_000);

/// A list as an ABI holds it.
pub(crate) fn list<T: Clone>(items: impl IntoIterator<Item = T>) -> Cow<'static, [T]> {
    Cow::Owned(items.into_iter().collect())
}

/// A name as an ABI holds it.
pub(crate) fn text(name: &str) -> Cow<'static, str> {
    Cow::Owned(name.to_owned())
}

/// A named value.
pub(crate) fn field(name: &str, ty: Type) -> Field {
    Field { name: text(name), ty }
}

/// A list type.
pub(crate) fn list_of(ty: Type) -> Type {
    Type::List(list([ty]))
}

/// A map of counters by one byte; most contracts here have one, as field 0.
pub(crate) fn cells() -> StorageField {
    StorageField {
        name: text("cells"),
        key: list([Type::U8]),
        value: Type::U128,
        counter: true,
        prefix_parts: None,
    }
}

/// The template of one cell of [`cells`].
pub(crate) fn cell(mode: Mode, part: Expr) -> AccessTemplate {
    AccessTemplate::Key { mode, field: 0, parts: list([part]) }
}

/// A parameter as it is.
pub(crate) fn arg(param: u16) -> Expr {
    Expr::Arg { param, path: list([]) }
}

/// The element of a loop as it is.
pub(crate) fn element() -> Expr {
    Expr::Element { depth: 0, path: list([]) }
}

/// The cells in a list, each touched in one way.
pub(crate) fn each_cell(mode: Mode, cells: Expr) -> AccessTemplate {
    AccessTemplate::ForEach { list: cells, body: list([cell(mode, element())]) }
}

/// A method that takes nothing and declares that it touches nothing.
pub(crate) fn method(name: &str) -> Method {
    Method {
        name: text(name),
        mutability: Mutability::Call,
        reentrant: false,
        params: list([]),
        returns: Type::UNIT,
        declared: true,
        access: list([]),
    }
}

/// The ABI of a contract with [`cells`] and one event.
pub(crate) fn abi(name: &str, methods: impl IntoIterator<Item = Method>) -> Abi {
    Abi {
        version: ABI_VERSION,
        name: text(name),
        immutables: list([]),
        storage: list([cells()]),
        methods: list(methods),
        events: list([EventType { name: text("Happened"), fields: list([]) }]),
        error: list([]),
    }
}

/// A module of WAT fields, with every host function imported under its own name, and an ABI.
pub(crate) fn module(abi: &Abi, fields: &str) -> Vec<u8> {
    let mut wat = "(module\n".to_owned();
    for function in HOST_FUNCTIONS {
        let word = |word: &WordType| match word {
            WordType::U32 => "i32",
            WordType::U64 => "i64",
        };
        let name = function.name;
        let params: String =
            function.params.iter().map(|(_, ty)| format!(" {}", word(ty))).collect();
        let result = function.result.iter().map(|ty| format!("(result {})", word(ty)));
        let result: String = result.collect();
        writeln!(
            wat,
            "(import \"{HOST_MODULE}\" \"{name}\" (func ${name} (param{params}) {result}))"
        )
        .expect("writing to a string never fails");
    }
    wat.push_str(fields);
    wat.push(')');
    let mut wasm = wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}"));
    let abi = borsh::to_vec(abi).expect("an ABI encodes");
    let mut section = Vec::new();
    push_leb(&mut section, ABI_SECTION.len());
    section.extend_from_slice(ABI_SECTION.as_bytes());
    section.extend_from_slice(&abi);
    wasm.push(0);
    push_leb(&mut wasm, section.len());
    wasm.extend_from_slice(&section);
    wasm
}

fn push_leb(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// An exported method of WAT instructions. Unless they return, it succeeds.
pub(crate) fn entry(name: &str, instructions: &str) -> String {
    format!(
        "(func (export \"{name}\") (param $args_len i32) (result i32) {instructions} (i32.const 0))\n"
    )
}

/// A call without arguments by [`ALICE`].
pub(crate) fn call(contract: Address, method: &str) -> Call {
    Call { caller: ALICE, contract, method: method.to_owned(), args: Vec::new(), gas_limit: PLENTY }
}

/// A call with borsh-encoded arguments by [`ALICE`].
pub(crate) fn call_with(
    contract: Address,
    method: &str,
    args: &impl borsh::BorshSerialize,
) -> Call {
    let args = borsh::to_vec(args).expect("arguments encode");
    Call { args, ..call(contract, method) }
}

/// A runtime, and the blocks that it ran.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    salt: u64,
}

impl World {
    pub(crate) fn new(threads: usize, compiler: Compiler) -> Self {
        Self::with(Config { threads, compiler, ..Config::default() })
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with(Config { threads: 2, limits, ..Config::default() })
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::on(config, Box::new(MemoryBackend::new()))
    }

    /// A world on a state that a backend keeps.
    pub(crate) fn on(config: Config, backend: Box<dyn Backend>) -> Self {
        let runtime = Runtime::open(config, backend).unwrap_or_else(|error| panic!("{error}"));
        Self { runtime, salt: 0 }
    }

    /// Has contracts made where they were after so many.
    pub(crate) fn reset_salt(&mut self, salt: u64) {
        self.salt = salt;
    }

    /// A world whose state nobody keeps.
    pub(crate) fn unkept(config: Config) -> Self {
        Self { runtime: Runtime::new(config).expect("the runtime starts"), salt: 0 }
    }

    pub(crate) fn upload(&mut self, wasm: &[u8]) -> CodeHash {
        self.runtime.upload(wasm).unwrap_or_else(|error| panic!("upload: {error}"))
    }

    /// A contract without `init` arguments, at an address of its own.
    pub(crate) fn instantiate(
        &mut self,
        code: CodeHash,
        immutables: &impl borsh::BorshSerialize,
    ) -> Address {
        self.salt += 1;
        let request = Instantiate {
            code,
            creator: ALICE,
            salt: self.salt,
            immutables: borsh::to_vec(immutables).expect("immutables encode"),
            args: Vec::new(),
            gas_limit: PLENTY,
        };
        self.runtime.instantiate(request).unwrap_or_else(|error| panic!("instantiate: {error}"))
    }

    pub(crate) fn deploy(&mut self, wasm: &[u8]) -> Address {
        let code = self.upload(wasm);
        self.instantiate(code, &())
    }

    /// The block that would come next.
    pub(crate) fn next_block(&self, calls: Vec<Call>) -> Block {
        let height = Height(self.runtime.head().0 + 1);
        Block { height, time_ms: 1_700_000_000_000 + height.0, calls, ..Block::default() }
    }

    /// Executes and commits a block, and compares all that comes of it with the oracle.
    pub(crate) fn run(&mut self, calls: Vec<Call>) -> Vec<Receipt> {
        let block = self.next_block(calls);
        let mut oracle = Oracle::new(&self.runtime);
        let expected = oracle.execute(&block);
        let outcome = self.runtime.execute(&block).expect("the block is valid");
        for (index, (found, expected)) in outcome.receipts.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "receipt {index}, of {:?}", block.calls[index]);
        }
        let encoded = |receipts: &[Receipt]| borsh::to_vec(receipts).expect("receipts encode");
        assert_eq!(encoded(&outcome.receipts), encoded(&expected));
        self.runtime.commit(outcome.batch).expect("the batch follows the head");
        assert_eq!(
            &self.runtime.state_entries().expect("the state can be read"),
            oracle.state_entries()
        );
        // The backend's tree has seen the changes alone, the oracle hashes its whole state.
        assert_eq!(self.root(), oracle.state_root());
        outcome.receipts
    }

    /// Runs a block of one call.
    pub(crate) fn run_one(&mut self, call: Call) -> Receipt {
        self.run(vec![call]).remove(0)
    }

    pub(crate) fn root(&self) -> Root {
        self.runtime.state_root().expect("the backend works")
    }

    /// The number in a cell of [`cells`]; `None` if it holds nothing.
    pub(crate) fn cell(&self, contract: Address, number: u8) -> Option<u128> {
        let bytes = self.runtime.storage(contract, &[0, number]).expect("the state can be read")?;
        Some(u128::from_le_bytes(bytes.try_into().expect("a counter has sixteen bytes")))
    }
}

/// What a call returned.
pub(crate) fn returned(receipt: &Receipt) -> &[u8] {
    match &receipt.outcome {
        Outcome::Returned(bytes) => bytes,
        outcome => panic!("{outcome:?}"),
    }
}

/// How a call failed.
pub(crate) fn failure(receipt: &Receipt) -> &Failure {
    match &receipt.outcome {
        Outcome::Failed(failure) => failure,
        outcome => panic!("{outcome:?}"),
    }
}

/// Runs `test` on every compiler with one to four threads.
pub(crate) fn everywhere(config: &Config, mut test: impl FnMut(World, &str)) {
    for compiler in Compiler::ALL {
        for threads in 1..=4 {
            let name = format!("{} with {threads} threads", compiler.name());
            test(World::with(Config { threads, compiler, ..config.clone() }), &name);
        }
        // And without telling pages that were written from others.
        let name = format!("{}, rewound as a whole", compiler.name());
        let whole = Config { threads: 2, compiler, reset_whole: true, ..config.clone() };
        test(World::with(whole), &name);
    }
}
