//! Copies a module's sections and bodies, with what the passes add and change.

use super::DEPTH_GLOBAL;
use super::bulk::{self, Bulk};
use super::call_graph::CallGraph;
use super::frames::Frame;
use crate::engine::validate::{Shape, UploadError, Validated};
use crate::limits::Limits;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::borrow::Cow;
use wasm_encoder::{
    BlockType, CodeSection, Encode, Instruction, MemorySection, MemoryType, Module, RawSection,
    SectionId,
};
use wasmparser::{BinaryReader, FuncType, FunctionBody, Operator, Payload, ValType};

pub(super) struct Rewrite<'a> {
    wasm: &'a [u8],
    validated: &'a Validated,
    limits: &'a Limits,
    frames: &'a [Frame],
    /// Whether each function is in a cycle.
    cyclic: &'a [bool],
    types: Types,
    /// The index of the function that charges bulk operations, if there are any.
    helper: Option<u32>,
    /// The index of the depth counter, if there is a cycle.
    pub(super) depth: Option<u32>,
    /// Globals to be exported: names and indices.
    pub(super) exports: Vec<(String, u32)>,
    module: Module,
    code: CodeSection,
    /// The next function whose body comes.
    function: u32,
    has_globals: bool,
}

impl<'a> Rewrite<'a> {
    pub(super) fn new(
        wasm: &'a [u8],
        validated: &'a Validated,
        limits: &'a Limits,
        frames: &'a [Frame],
        graph: &'a CallGraph,
    ) -> Self {
        let shape = &validated.shape;
        let cyclic = &graph.cyclic[..];
        let helper = frames.iter().any(|frame| frame.has_bulk);
        let depth = cyclic.contains(&true).then_some(shape.globals_mutable.len() as u32);
        let mut exports: Vec<_> = (0u32..)
            .zip(&shape.globals_mutable)
            .filter(|(_, mutable)| **mutable)
            .map(|(global, _)| (format!("tollway:g{global}"), global))
            .collect();
        exports.extend(depth.map(|global| (DEPTH_GLOBAL.to_owned(), global)));
        Self {
            wasm,
            validated,
            limits,
            frames,
            cyclic,
            types: Types::of(shape, cyclic, helper),
            helper: helper.then_some(shape.functions.len() as u32),
            depth,
            exports,
            module: Module::new(),
            code: CodeSection::new(),
            function: shape.imports,
            has_globals: false,
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.module.finish()
    }

    pub(super) fn payload(&mut self, payload: Payload<'a>) -> Result<(), UploadError> {
        match payload {
            Payload::CustomSection(_) => {}
            Payload::CodeSectionStart { .. } => self.code_if_complete(),
            Payload::CodeSectionEntry(body) => {
                self.body(&body)?;
                self.function += 1;
                self.code_if_complete();
            }
            Payload::MemorySection(_) => {
                let mut memories = MemorySection::new();
                memories.memory(MemoryType {
                    minimum: self.validated.memory_pages_min,
                    maximum: Some(self.validated.memory_pages_max),
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                });
                self.module.section(&memories);
            }
            payload => {
                let Some((id, range)) = payload.as_section() else { return Ok(()) };
                self.section(id, &self.wasm[range])?;
            }
        }
        Ok(())
    }

    fn code_if_complete(&mut self) {
        if self.function as usize == self.validated.shape.functions.len() {
            if self.helper.is_some() {
                self.code.function(&bulk::helper());
            }
            self.module.section(&self.code);
        }
    }

    /// Copies a section, with our items after the module's own.
    fn section(&mut self, id: u8, contents: &[u8]) -> Result<(), UploadError> {
        let mut added = Vec::new();
        let mut count = 0u32;
        if id == SectionId::Type as u8 {
            for ty in &self.types.added {
                added.push(0x60);
                for values in [ty.params(), ty.results()] {
                    values.len().encode(&mut added);
                    added.extend(values.iter().map(value_type_byte));
                }
                count += 1;
            }
        } else if id == SectionId::Function as u8 && self.helper.is_some() {
            self.types.index(&bulk::helper_type())?.encode(&mut added);
            count = 1;
        } else if id == SectionId::Global as u8 && self.depth.is_some() {
            added.extend(DEPTH_ENTRY);
            count = 1;
        } else if id == SectionId::Export as u8 {
            if self.depth.is_some() && !self.has_globals {
                // The module has no globals of its own; they would stand before its exports.
                let data: Vec<u8> = [&[1], &DEPTH_ENTRY[..]].concat();
                self.module.section(&RawSection { id: SectionId::Global as u8, data: &data });
            }
            for (name, global) in &self.exports {
                name.encode(&mut added);
                added.push(3);
                global.encode(&mut added);
                count += 1;
            }
        }
        self.has_globals |= id == SectionId::Global as u8;
        let data = append(contents, count, &added)?;
        self.module.section(&RawSection { id, data: &data });
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'a>) -> Result<(), UploadError> {
        let frame = &self.frames[self.function as usize];
        let counter = self.depth.filter(|_| self.cyclic[self.function as usize]);
        if counter.is_none() && !frame.has_bulk {
            self.code.raw(body.as_bytes());
            return Ok(());
        }
        let operators = body.get_operators_reader()?;
        let (range, start) = (body.range(), operators.original_position());
        let mut new = self.wasm[range.start..start].to_vec();
        if let Some(depth) = counter {
            enter(&mut new, depth, frame.units as i32, self.limits.stack_units_max as i32);
            self.block_type()?.encode(&mut new);
        }
        // Labels inside keep their meaning: the block stands where the function's own label was.
        let mut copied = start;
        let mut nesting = 0u32;
        let mut closes = false;
        for operator in operators.into_iter_with_offsets() {
            let (operator, offset) = operator?;
            if std::mem::take(&mut closes) {
                new.extend_from_slice(&self.wasm[copied..offset]);
                Instruction::End.encode(&mut new);
                copied = offset;
            }
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    nesting += 1
                }
                // The last one closes the block.
                Operator::End => nesting = nesting.saturating_sub(1),
                Operator::Return if counter.is_some() => {
                    new.extend_from_slice(&self.wasm[copied..offset]);
                    Instruction::Br(nesting).encode(&mut new);
                    copied = offset + 1;
                }
                operator => {
                    let Some(bulk) = Bulk::of(&operator) else { continue };
                    let helper =
                        self.helper.ok_or(UploadError::Bug("a bulk operation was missed"))?;
                    new.extend_from_slice(&self.wasm[copied..offset]);
                    bulk.begin(helper, self.types.index(&bulk.ty())?, &mut new);
                    copied = offset;
                    closes = true;
                }
            }
        }
        new.extend_from_slice(&self.wasm[copied..range.end]);
        if let Some(depth) = counter {
            leave(&mut new, depth, frame.units as i32);
            Instruction::End.encode(&mut new);
        }
        self.code.raw(&new);
        Ok(())
    }

    /// Opens the block that takes the place of a counted function's body.
    fn block_type(&self) -> Result<Instruction<'static>, UploadError> {
        let shape = &self.validated.shape;
        let bug = UploadError::Bug("a counted function has no type");
        let results = shape.function_type(self.function).ok_or(bug)?.results();
        Ok(Instruction::Block(match results {
            [] => BlockType::Empty,
            [one] => BlockType::Result(value_type(one)),
            several => {
                BlockType::FunctionType(self.types.index(&FuncType::new([], several.to_vec()))?)
            }
        }))
    }
}

/// The depth counter among the globals: a mutable `i32` that begins at 0.
const DEPTH_ENTRY: [u8; 5] = [0x7f, 1, 0x41, 0, 0x0b];

fn enter(sink: &mut Vec<u8>, depth: u32, units: i32, budget: i32) {
    for instruction in [
        Instruction::GlobalGet(depth),
        Instruction::I32Const(units),
        Instruction::I32Add,
        Instruction::GlobalSet(depth),
        Instruction::GlobalGet(depth),
        Instruction::I32Const(budget),
        Instruction::I32GtU,
        Instruction::If(BlockType::Empty),
        Instruction::Unreachable,
        Instruction::End,
    ] {
        instruction.encode(sink);
    }
}

fn leave(sink: &mut Vec<u8>, depth: u32, units: i32) {
    for instruction in [
        Instruction::GlobalGet(depth),
        Instruction::I32Const(units),
        Instruction::I32Sub,
        Instruction::GlobalSet(depth),
    ] {
        instruction.encode(sink);
    }
}

/// The module's types, and those that it lacks: of the helper, and of blocks with several results.
struct Types {
    indices: HashMap<FuncType, u32>,
    added: Vec<FuncType>,
}

impl Types {
    fn of(shape: &Shape, cyclic: &[bool], helper: bool) -> Self {
        let mut types = Self { indices: HashMap::new(), added: Vec::new() };
        for (index, ty) in (0u32..).zip(&shape.types) {
            types.indices.entry(ty.clone()).or_insert(index);
        }
        if helper {
            // The helper's own type is that of growth.
            types.add(Bulk::Range.ty(), shape);
            types.add(Bulk::Growth.ty(), shape);
        }
        for (ty, _) in shape.functions.iter().zip(cyclic).filter(|(_, is_cyclic)| **is_cyclic) {
            let results = shape.types.get(*ty as usize).map_or(&[][..], FuncType::results);
            if results.len() > 1 {
                types.add(FuncType::new([], results.to_vec()), shape);
            }
        }
        types
    }

    fn add(&mut self, ty: FuncType, shape: &Shape) {
        let next = (shape.types.len() + self.added.len()) as u32;
        if let Entry::Vacant(vacant) = self.indices.entry(ty.clone()) {
            vacant.insert(next);
            self.added.push(ty);
        }
    }

    fn index(&self, ty: &FuncType) -> Result<u32, UploadError> {
        let index = self.indices.get(ty).copied();
        index.ok_or(UploadError::Bug("a pass needs a type that it didn't add"))
    }
}

/// A section's contents with `count` more items, whose bytes are `added`.
fn append<'a>(contents: &'a [u8], count: u32, added: &[u8]) -> Result<Cow<'a, [u8]>, UploadError> {
    if count == 0 {
        return Ok(contents.into());
    }
    let mut reader = BinaryReader::new(contents, 0);
    let items = reader.read_var_u32()?;
    let mut data = Vec::with_capacity(contents.len() + added.len() + 5);
    (items + count).encode(&mut data);
    data.extend_from_slice(&contents[reader.current_position()..]);
    data.extend_from_slice(added);
    Ok(data.into())
}

/// A number type; upload refuses all others.
fn value_type(ty: &ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 | ValType::Ref(_) => wasm_encoder::ValType::V128,
    }
}

fn value_type_byte(ty: &ValType) -> u8 {
    match ty {
        ValType::I32 => 0x7f,
        ValType::I64 => 0x7e,
        ValType::F32 => 0x7d,
        ValType::F64 => 0x7c,
        ValType::V128 | ValType::Ref(_) => 0x7b,
    }
}
