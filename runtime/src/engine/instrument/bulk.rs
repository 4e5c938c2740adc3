//! Charges operations on ranges of memory by their bytes, at the same point under every compiler.
//!
//! The engine could charge them, but its compilers disagree: Winch doesn't, and Cranelift looks at
//! the fuel once more before such an operation. So the engine charges nothing, and the pass does
//!
//! ```text
//! …  memory.fill   ─▶   …  call $charge   loop (param i32 i32 i32)  memory.fill  end
//! …  memory.grow   ─▶   …  i32.const GROWTH_BYTES  call $charge  drop
//!                          loop (param i32) (result i32)  memory.grow  end
//!
//! (func $charge (param $bytes i32) (result i32) (local $left i32)
//!     (local.set $left (i32.add (i32.shr_u (local.get $bytes) (i32.const 6)) (i32.const 4)))
//!     (loop (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
//!     (local.get $bytes))
//! ```
//!
//! The byte count, the topmost operand, goes through a helper that returns it, after turning once
//! for every 64 of them: the fuel of its turns is the price. Fuel is checked at every turn, so
//! nothing starts that is not paid. The loop around the operation never turns; at its head every
//! compiler checks the fuel, so that Cranelift's own check right after it finds nothing new.

use wasm_encoder::{BlockType, Function, Instruction};
use wasmparser::{FuncType, Operator, ValType};

/// What one growth of the memory costs, as if so many bytes were copied. (What the pages and the
/// instance cost is the gas schedule's to charge, and only if the memory did grow.)
pub(super) const GROWTH_BYTES: i32 = 64 << 10;

/// Units of the helper's frame, as [`super::frames`] would measure it.
pub(super) const HELPER_UNITS: u64 = 64 + 16 * 18;

/// Values that the pass adds to the frame of a function, for each operation.
pub(super) const VALUES: u64 = 10;

/// An operation that is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    /// Works on as many bytes as its topmost operand says.
    Range,
    /// Asks for pages.
    Growth,
}

impl Bulk {
    pub(super) fn of(operator: &Operator<'_>) -> Option<Self> {
        match operator {
            Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. } => Some(Self::Range),
            Operator::MemoryGrow { .. } => Some(Self::Growth),
            _ => None,
        }
    }

    /// What it takes and gives.
    pub(super) fn ty(self) -> FuncType {
        match self {
            Self::Range => FuncType::new([ValType::I32; 3], []),
            Self::Growth => helper_type(),
        }
    }

    /// Writes what comes before it; what comes after it is an `end`.
    pub(super) fn begin(self, helper: u32, ty: u32, sink: &mut Vec<u8>) {
        use wasm_encoder::Encode;
        if self == Self::Growth {
            Instruction::I32Const(GROWTH_BYTES).encode(sink);
        }
        Instruction::Call(helper).encode(sink);
        if self == Self::Growth {
            Instruction::Drop.encode(sink);
        }
        Instruction::Loop(BlockType::FunctionType(ty)).encode(sink);
    }
}

/// The helper's type, which is also what growth takes and gives.
pub(super) fn helper_type() -> FuncType {
    FuncType::new([ValType::I32], [ValType::I32])
}

/// The helper.
pub(super) fn helper() -> Function {
    const BYTES: u32 = 0;
    const LEFT: u32 = 1;
    let mut function = Function::new([(1, wasm_encoder::ValType::I32)]);
    for instruction in [
        Instruction::LocalGet(BYTES),
        Instruction::I32Const(6),
        Instruction::I32ShrU,
        Instruction::I32Const(4),
        Instruction::I32Add,
        Instruction::LocalSet(LEFT),
        Instruction::Loop(BlockType::Empty),
        Instruction::LocalGet(LEFT),
        Instruction::I32Const(1),
        Instruction::I32Sub,
        Instruction::LocalTee(LEFT),
        Instruction::BrIf(0),
        Instruction::End,
        Instruction::LocalGet(BYTES),
        Instruction::End,
    ] {
        function.instruction(&instruction);
    }
    function
}
