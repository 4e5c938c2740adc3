//! What each operator costs, in fuel. One unit is about the time of one cheap instruction in
//! straight code; an operator's cost follows its slowest way through a modern 64-bit processor, so
//! that no loop runs for much longer than its fuel says.
//!
//! Measured on a Zen 4 server core under Cranelift: straight integer code takes 0.07 ns a unit,
//! most chains of one operator 0.1 to 0.4, and the worst loops that were found (branches that are
//! mispredicted, stores across pages that are read at once) 1. Under Winch it is up to twice that.
//!
//! The engine adds one unit for each entry into a function.
//!
//! | class | fuel | why |
//! | --- | --- | --- |
//! | structure, constants to nowhere | 0 | makes no code; every loop still pays for its branch |
//! | locals, constants, integer logic and sums | 1 | one cycle or none, several at once |
//! | globals, loads, stores, integer products, 128-bit sums | 2 | memory or three cycles |
//! | conditional branches | 2 | may be mispredicted |
//! | wide products; float signs and comparisons | 4 | |
//! | float sums and products, conversions to floats | 6 | four cycles, and the NaN check |
//! | branch tables, conversions between floats | 8 | |
//! | rounding, checked conversions, minimum, maximum | 10 | several branches or operations |
//! | calls | 12 | frame, stack check, fuel to memory and back |
//! | indirect calls, divisions | 16 | two more checks; up to twenty cycles, one at a time |
//! | roots | 20 | |
//! | bulk memory, growth | 0 | charged by code that the upload pass puts around them |
//!
//! Nothing here grows with an operand: the engine has prices for that too, but its compilers do
//! not agree on them. [`crate::engine::instrument`] charges bulk operations by their bytes: 6 for
//! each 64, and 44 for any (growth: 6,189).

use wasmtime::{OperatorCost, VariableOperatorCost};

/// What refused operators cost. They never run: upload refuses them.
const REFUSED: u8 = 255;

macro_rules! define_table {
    ($( @$proposal:ident $operator:ident $({ $($argument:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*) )*) => {
        /// The cost of every operator.
        pub fn operator_cost() -> OperatorCost {
            OperatorCost {
                $( $operator: cost(stringify!($operator)).unwrap_or(REFUSED), )*
                variable: variable_cost(),
            }
        }

        /// Every operator that the engine knows, and its proposal.
        #[cfg(test)]
        pub(super) const OPERATORS: &[(&str, &str)] =
            &[$( (stringify!($proposal), stringify!($operator)) ),*];
    };
}
wasmparser::for_each_operator!(define_table);

/// Costs that grow with an operand: none, because compilers do not agree on charging them.
fn variable_cost() -> VariableOperatorCost {
    VariableOperatorCost {
        memory_copy_per_byte: 0,
        memory_fill_per_byte: 0,
        memory_init_per_byte: 0,
        memory_grow_per_page: 0,
        table_copy_per_element: 0,
        table_fill_per_element: 0,
        table_init_per_element: 0,
        table_grow_per_element: 0,
        array_copy_per_element: 0,
        array_fill_per_element: 0,
        array_new_data_per_element: 0,
        array_init_data_per_element: 0,
        array_new_elem_per_element: 0,
        array_init_elem_per_element: 0,
        array_new_default_per_element: 0,
        array_new_per_element: 0,
    }
}

/// The cost of an operator that contracts may use.
#[rustfmt::skip]
pub(super) fn cost(operator: &str) -> Option<u8> {
    Some(match operator {
        "Nop" | "Drop" | "Block" | "Loop" | "Else" | "End" | "Return" | "Unreachable"
        | "MemoryCopy" | "MemoryFill" | "MemoryInit" | "MemoryGrow" => 0,

        "LocalGet" | "LocalSet" | "LocalTee" | "Select"
        | "I32Const" | "I64Const" | "F32Const" | "F64Const"
        | "Br" | "MemorySize"
        | "I32Eqz" | "I32Eq" | "I32Ne" | "I32LtS" | "I32LtU" | "I32GtS" | "I32GtU" | "I32LeS"
        | "I32LeU" | "I32GeS" | "I32GeU"
        | "I64Eqz" | "I64Eq" | "I64Ne" | "I64LtS" | "I64LtU" | "I64GtS" | "I64GtU" | "I64LeS"
        | "I64LeU" | "I64GeS" | "I64GeU"
        | "I32Add" | "I32Sub" | "I32And" | "I32Or" | "I32Xor" | "I32Shl" | "I32ShrS" | "I32ShrU"
        | "I32Rotl" | "I32Rotr"
        | "I64Add" | "I64Sub" | "I64And" | "I64Or" | "I64Xor" | "I64Shl" | "I64ShrS" | "I64ShrU"
        | "I64Rotl" | "I64Rotr"
        | "I32WrapI64" | "I64ExtendI32S" | "I64ExtendI32U"
        | "I32Extend8S" | "I32Extend16S" | "I64Extend8S" | "I64Extend16S" | "I64Extend32S"
        | "I32ReinterpretF32" | "I64ReinterpretF64" | "F32ReinterpretI32" | "F64ReinterpretI64" => 1,

        "GlobalGet" | "GlobalSet"
        | "I32Load" | "I64Load" | "F32Load" | "F64Load"
        | "I32Load8S" | "I32Load8U" | "I32Load16S" | "I32Load16U"
        | "I64Load8S" | "I64Load8U" | "I64Load16S" | "I64Load16U" | "I64Load32S" | "I64Load32U"
        | "I32Store" | "I64Store" | "F32Store" | "F64Store"
        | "I32Store8" | "I32Store16" | "I64Store8" | "I64Store16" | "I64Store32"
        | "I32Mul" | "I64Mul"
        // One instruction on new processors, a dozen on old ones.
        | "I32Clz" | "I32Ctz" | "I32Popcnt" | "I64Clz" | "I64Ctz" | "I64Popcnt"
        | "I64Add128" | "I64Sub128"
        | "If" | "BrIf" => 2,

        "I64MulWideS" | "I64MulWideU"
        | "F32Abs" | "F32Neg" | "F32Copysign" | "F64Abs" | "F64Neg" | "F64Copysign"
        | "F32Eq" | "F32Ne" | "F32Lt" | "F32Gt" | "F32Le" | "F32Ge"
        | "F64Eq" | "F64Ne" | "F64Lt" | "F64Gt" | "F64Le" | "F64Ge" => 4,

        "F32Add" | "F32Sub" | "F32Mul" | "F64Add" | "F64Sub" | "F64Mul"
        | "F32ConvertI32S" | "F32ConvertI32U" | "F32ConvertI64S" | "F32ConvertI64U"
        | "F64ConvertI32S" | "F64ConvertI32U" | "F64ConvertI64S" | "F64ConvertI64U" => 6,

        "BrTable" | "F32DemoteF64" | "F64PromoteF32" => 8,

        "F32Ceil" | "F32Floor" | "F32Trunc" | "F32Nearest"
        | "F64Ceil" | "F64Floor" | "F64Trunc" | "F64Nearest"
        | "F32Min" | "F32Max" | "F64Min" | "F64Max"
        | "I32TruncF32S" | "I32TruncF32U" | "I32TruncF64S" | "I32TruncF64U"
        | "I64TruncF32S" | "I64TruncF32U" | "I64TruncF64S" | "I64TruncF64U"
        | "I32TruncSatF32S" | "I32TruncSatF32U" | "I32TruncSatF64S" | "I32TruncSatF64U"
        | "I64TruncSatF32S" | "I64TruncSatF32U" | "I64TruncSatF64S" | "I64TruncSatF64U" => 10,

        "Call" => 12,

        "CallIndirect"
        | "I32DivS" | "I32DivU" | "I32RemS" | "I32RemU"
        | "I64DivS" | "I64DivU" | "I64RemS" | "I64RemU"
        | "F32Div" | "F64Div" => 16,

        "F32Sqrt" | "F64Sqrt" => 20,

        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_priced_or_refused() {
        let refused_bulk = ["DataDrop", "TableInit", "ElemDrop", "TableCopy"];
        for (proposal, operator) in OPERATORS {
            let allowed = match *proposal {
                "mvp" | "sign_extension" | "saturating_float_to_int" | "wide_arithmetic" => true,
                "bulk_memory" => !refused_bulk.contains(operator),
                _ => false,
            };
            assert_eq!(cost(operator).is_some(), allowed, "{operator} of {proposal}");
        }
    }

    #[test]
    fn whatever_repeats_costs() {
        // A loop repeats by one of these; a function by a call.
        for operator in ["Br", "BrIf", "BrTable", "Call", "CallIndirect"] {
            assert!(cost(operator) > Some(0), "{operator}");
        }
    }
}
