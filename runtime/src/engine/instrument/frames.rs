//! How much stack a function's frame may take, in units of bytes, from its Wasm alone.
//!
//! Locals and operand stack don't bound a native frame: an optimizer keeps any value that it may
//! need again, so a function with 4,000 expressions used before and after a call has a frame of
//! 32 KiB under one compiler and 64 bytes under another. What bounds a frame is the number of
//! values that there are to keep: every local, and every result of an instruction or a block.

use super::bulk::{self, Bulk};
use crate::engine::validate::{Shape, UploadError};
use wasmparser::{BlockType, FunctionBody, Operator, Parser, Payload};

/// Units of every frame: return address, saved registers, alignment.
const FRAME_UNITS: u64 = 64;

/// Units of a value: eight bytes, and as much again for what allocators waste and for our passes.
const VALUE_UNITS: u64 = 16;

/// What was seen in a function.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// A bound on the bytes of its native frame. 0 for imports, whose frames are the host's.
    pub(super) units: u64,
    /// The functions that it calls by name.
    pub(super) calls: Vec<u32>,
    /// The types of functions that it calls through the table.
    pub(super) indirect_calls: Vec<u32>,
    /// Whether it has an operation of [`Bulk`], and so calls the function that charges for it.
    pub(super) has_bulk: bool,
}

/// Measures every function, imports first, and the helper of [`super::bulk`] last.
pub(super) fn measure(wasm: &[u8], shape: &Shape) -> Result<Vec<Frame>, UploadError> {
    let mut frames: Vec<Frame> = (0..shape.imports).map(|_| Frame::default()).collect();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload? {
            let function = frames.len() as u32;
            frames.push(measure_body(&body, shape, function)?);
        }
    }
    frames.push(Frame { units: bulk::HELPER_UNITS, ..Frame::default() });
    Ok(frames)
}

fn measure_body(
    body: &FunctionBody<'_>,
    shape: &Shape,
    function: u32,
) -> Result<Frame, UploadError> {
    let own = shape.function_type(function);
    let mut values = own.map_or(0, |ty| ty.params().len() + ty.results().len()) as u64;
    for run in body.get_locals_reader()? {
        values += u64::from(run?.0);
    }
    let mut frame = Frame::default();
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        values += 1 + more_values(&operator, shape);
        match operator {
            Operator::Call { function_index } => frame.calls.push(function_index),
            Operator::CallIndirect { type_index, .. } => frame.indirect_calls.push(type_index),
            operator => frame.has_bulk |= Bulk::of(&operator).is_some(),
        }
    }
    if frame.has_bulk {
        frame.calls.push(shape.functions.len() as u32);
    }
    frame.units = FRAME_UNITS + VALUE_UNITS * values;
    Ok(frame)
}

/// Values that an operator makes beyond one: results of calls, arguments that are passed on the
/// stack, and values that blocks take and give.
fn more_values(operator: &Operator<'_>, shape: &Shape) -> u64 {
    let of = |type_index: u32| {
        let ty = shape.types.get(type_index as usize);
        ty.map_or(0, |ty| ty.params().len() + ty.results().len()) as u64
    };
    match operator {
        Operator::Call { function_index } => {
            shape.functions.get(*function_index as usize).map_or(0, |ty| of(*ty))
        }
        Operator::CallIndirect { type_index, .. } => of(*type_index),
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            match blockty {
                BlockType::FuncType(type_index) => of(*type_index),
                BlockType::Type(_) => 1,
                BlockType::Empty => 0,
            }
        }
        operator => Bulk::of(operator).map_or(0, |_| bulk::VALUES),
    }
}
