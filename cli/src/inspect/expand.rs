//! A method's templates as a flat list of what they touch, with the templates of the contracts
//! that it calls where their ABI is known.
//!
//! Inside a callee, its caller is the contract that calls it, and its parameters are the
//! expressions given for them: everything is said in terms of the first call.

use super::syntax::{constant, with_path};
use tollway_host_api::{Abi, AccessTemplate, Expr, Field, Method, Mode, Text};

/// The contract's own address.
pub(super) const THIS: &str = "this";

/// How deep calls are followed. Contracts may call each other in circles.
const DEPTH_MAX: usize = 4;
/// How many touches of one method are looked at.
const TOUCHES_MAX: usize = 256;

/// A value that is known before a call runs, in terms of that call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// The call's own: its caller, or (a path into) an argument.
    OfCall(String),
    /// The caller of a method that refuses to run while its contract is running: never the contract
    /// itself.
    Outsider,
    /// The call's identifier: never another call's.
    CallId,
    /// The shard of a value, out of so many.
    Shard(Box<Term>, u16),
    /// The same for every call of the contract: its address, its immutables.
    Fixed(String),
    /// A constant.
    Constant(String),
    /// Not known before the run.
    Unknown,
}

impl Term {
    /// The term, of the call named `call`.
    pub(super) fn of(&self, call: &str) -> String {
        match self {
            Self::OfCall(text) => format!("{call}.{text}"),
            Self::Outsider => format!("{call}.caller"),
            Self::CallId => format!("{call}.call_id"),
            Self::Shard(of, count) => format!("shard_of({}, {count})", of.of(call)),
            Self::Fixed(text) | Self::Constant(text) => text.clone(),
            Self::Unknown => "_".to_owned(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::OfCall(text) | Self::Fixed(text) | Self::Constant(text) => text,
            Self::Outsider => "caller",
            Self::CallId => "call_id",
            // No address, so never a contract.
            Self::Shard(..) => "shard_of",
            Self::Unknown => "_",
        }
    }

    fn join(&self, path: &[Text]) -> Self {
        match self {
            Self::OfCall(text) => Self::OfCall(with_path(text.clone(), path)),
            Self::Fixed(text) => Self::Fixed(with_path(text.clone(), path)),
            other if path.is_empty() => other.clone(),
            _ => Self::Unknown,
        }
    }
}

/// One thing that a method may touch.
#[derive(Clone, Debug)]
pub(super) struct Touch {
    /// Which of the known ABIs the contract has; `None` if it is not known.
    pub(super) abi: Option<usize>,
    /// The contract whose storage it is.
    pub(super) contract: Term,
    /// The calls that lead there, as words before the field's name; empty for own storage.
    pub(super) through: String,
    pub(super) step: Step,
}

/// What is touched.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A key.
    Key { field: String, mode: Mode, parts: Vec<Term> },
    /// Whatever a contract without a known ABI declares.
    Opaque,
}

/// What a method of the first ABI may touch.
pub(super) fn touches(abis: &[Abi], method: &Method) -> Vec<Touch> {
    let Some(abi) = abis.first() else {
        return Vec::new();
    };
    let args = (method.params.iter()).map(|param| Term::OfCall(param.name.to_string()));
    let frame = Frame {
        abi: 0,
        this: Term::Fixed(THIS.into()),
        caller: if method.reentrant { Term::OfCall("caller".into()) } else { Term::Outsider },
        args: args.collect(),
        immutables: fixed(&abi.immutables, "imm"),
        through: String::new(),
        depth: 0,
    };
    let mut touches = Vec::new();
    frame.walk(abis, &method.access, &mut Vec::new(), &mut touches);
    touches
}

fn fixed(immutables: &[Field], start: &str) -> Vec<Term> {
    immutables.iter().map(|field| Term::Fixed(format!("{start}.{}", field.name))).collect()
}

/// One call on the way, with what its expressions stand for.
struct Frame {
    abi: usize,
    this: Term,
    caller: Term,
    args: Vec<Term>,
    immutables: Vec<Term>,
    through: String,
    depth: usize,
}

impl Frame {
    fn walk(
        &self,
        abis: &[Abi],
        templates: &[AccessTemplate],
        loops: &mut Vec<Term>,
        touches: &mut Vec<Touch>,
    ) {
        for template in templates {
            if touches.len() >= TOUCHES_MAX {
                return;
            }
            match template {
                AccessTemplate::Key { mode, field, parts } => {
                    let name = abis[self.abi].storage.get(usize::from(*field));
                    let mode = match mode {
                        // What is below a prefix is read or written.
                        Mode::Add if name.is_some_and(|field| field.prefix_parts.is_some()) => {
                            Mode::Write
                        }
                        mode => *mode,
                    };
                    let step = Step::Key {
                        field: name.map_or_else(
                            || format!("field {field}"),
                            |field| field.name.to_string(),
                        ),
                        mode,
                        parts: self.terms(parts, loops),
                    };
                    touches.push(self.touch(
                        Some(self.abi),
                        self.this.clone(),
                        self.through.clone(),
                        step,
                    ));
                }
                AccessTemplate::ForEach { list, body } => {
                    let element = match self.term(list, loops) {
                        Term::OfCall(list) => Term::OfCall(format!("{list}[*]")),
                        Term::Fixed(list) => Term::Fixed(format!("{list}[*]")),
                        _ => Term::Unknown,
                    };
                    loops.push(element);
                    self.walk(abis, body, loops, touches);
                    loops.pop();
                }
                AccessTemplate::Call { contract, method, args } => {
                    let contract = self.term(contract, loops);
                    let args = self.terms(args, loops);
                    self.call(abis, contract, method, args, touches);
                }
            }
        }
    }

    fn call(
        &self,
        abis: &[Abi],
        contract: Term,
        method: &str,
        args: Vec<Term>,
        touches: &mut Vec<Touch>,
    ) {
        let step = |contract: &Term| format!("through {}", contract.name());
        let fits = |abi: &Abi| {
            abi.method(method)
                .is_some_and(|found| found.params.len() == args.len() && found.declared)
        };
        let known = (1..abis.len()).find(|index| fits(&abis[*index]));
        let Some((index, callee)) = known
            .filter(|_| self.depth < DEPTH_MAX)
            .and_then(|index| Some((index, abis[index].method(method)?)))
        else {
            let through = step(&contract);
            touches.push(self.touch(None, contract, through, Step::Opaque));
            return;
        };
        let frame = Frame {
            abi: index,
            caller: self.this.clone(),
            immutables: fixed(&abis[index].immutables, &format!("{}.imm", contract.name())),
            through: format!("{}.{method}: ", step(&contract)),
            this: contract,
            args,
            depth: self.depth + 1,
        };
        frame.walk(abis, &callee.access, &mut Vec::new(), touches);
    }

    fn touch(&self, abi: Option<usize>, contract: Term, through: String, step: Step) -> Touch {
        Touch { abi, contract, through, step }
    }

    fn terms(&self, exprs: &[Expr], loops: &[Term]) -> Vec<Term> {
        exprs.iter().map(|expr| self.term(expr, loops)).collect()
    }

    fn term(&self, expr: &Expr, loops: &[Term]) -> Term {
        let found = |terms: &[Term], index: u16, path: &[Text]| {
            terms.get(usize::from(index)).map_or(Term::Unknown, |term| term.join(path))
        };
        match expr {
            Expr::Caller => self.caller.clone(),
            Expr::This => self.this.clone(),
            Expr::Arg { param, path } => found(&self.args, *param, path),
            Expr::Immutable { index, path } => found(&self.immutables, *index, path),
            Expr::Element { depth, path } => {
                let element = loops.iter().rev().nth(usize::from(*depth));
                element.map_or(Term::Unknown, |element| element.join(path))
            }
            Expr::Integer(number) => Term::Constant(number.to_string()),
            Expr::Bytes(bytes) => Term::Constant(constant(bytes)),
            Expr::Unknown => Term::Unknown,
            Expr::CallId => Term::CallId,
            Expr::Shard { of, count } => match of.first().map(|of| self.term(of, loops)) {
                None | Some(Term::Unknown) => Term::Unknown,
                Some(of) => Term::Shard(Box::new(of), *count),
            },
        }
    }
}
