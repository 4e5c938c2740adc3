//! What a module must be to be stored: checked once, at upload, so that nothing has to be checked
//! when it runs.
//!
//! ```text
//! wasm ─▶ size ─▶ Wasm's own rules, with our features ─▶ our rules ─▶ ABI, and whether it is true
//! ```
//!
//! # Invariants
//! A module that passes
//! 1. runs nothing but what a method calls: no start function (`tests::start_function_is_refused`);
//! 2. can reach nothing but the host's functions, with their signatures (`tests::imports`);
//! 3. leaves nothing behind in an instance but its memory and globals: tables and segments cannot
//!    be changed (`tests::operators_that_outlive_a_call`);
//! 4. can always be instantiated: segments lie inside memory and table (`tests::segments`);
//! 5. stays inside every limit of [`Limits`] (`tests::limits_are_inclusive`);
//! 6. has its window, if it has one, inside the memory that it starts with (`tests::windows`);
//! 7. does as its ABI says, as far as data can say (`crate::engine::abi_check`).
//!
//! No bytes can make this panic, overflow the stack or take more than linear time
//! (`tests::no_bytes_panic`).

mod error;

pub use error::UploadError;

use crate::engine::{abi_check, config, instrument};
use crate::limits::Limits;
use std::collections::BTreeMap;
use tollway_host_api::Abi;
use tollway_host_api::abi::ABI_SECTION;
use tollway_host_api::functions::{HOST_MODULE, HostFunction, WordType, host_function};
use tollway_host_api::window::{WINDOW_ALIGNMENT, WINDOW_BYTES, WINDOW_EXPORT};
use wasmparser::{
    DataKind, ElementItems, ElementKind, ExternalKind, FuncType, FuncValidatorAllocations,
    FunctionBody, Operator, Parser, Payload, TypeRef, ValType, ValidPayload, Validator,
};

/// What the exports of the runtime's own passes begin with.
pub const RESERVED_EXPORT: &str = "tollway:";

/// A module that passed, and what was learned of it.
#[derive(Clone, Debug)]
pub struct Validated {
    /// What the contract tells of itself.
    pub abi: Abi,
    /// Pages that the memory starts with.
    pub memory_pages_min: u64,
    /// Pages that the memory may grow to: the module's own bound, or the limit if that is less.
    pub memory_pages_max: u64,
    /// Where the contract's window starts, if it has one.
    pub window: Option<u32>,
    pub(crate) shape: Shape,
}

/// The parts of a module that passes need to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) types: Vec<FuncType>,
    /// The type of each function, imports first.
    pub(crate) functions: Vec<u32>,
    pub(crate) imports: u32,
    pub(crate) globals_mutable: Vec<bool>,
    globals: Vec<Global>,
    /// Functions that an indirect call may reach, each once.
    pub(crate) table_functions: Vec<u32>,
    memories: Vec<(u64, Option<u64>)>,
    tables: Vec<u64>,
    exports: BTreeMap<String, (ExternalKind, u32)>,
}

/// What is declared of a global.
#[derive(Clone, Debug)]
struct Global {
    /// `i32` or `mut i32`, for example.
    ty: String,
    /// Its value, if it is initialized by one `i32.const`.
    value: Option<u32>,
}

impl Shape {
    /// The type of a function.
    pub(crate) fn function_type(&self, function: u32) -> Option<&FuncType> {
        self.types.get(*self.functions.get(function as usize)? as usize)
    }
}

/// A module that is ready to be compiled.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The instrumented module.
    pub wasm: Vec<u8>,
    /// What the contract tells of itself.
    pub abi: Abi,
    /// Pages that the memory starts with.
    pub memory_pages_min: u64,
    /// Pages that the memory may grow to.
    pub memory_pages_max: u64,
    /// Where the contract's window starts, if it has one.
    pub window: Option<u32>,
    /// Names of all globals that a call may change, the depth counter included.
    pub mutable_globals: Vec<String>,
    /// Name of the depth counter, if the module can recurse.
    pub depth_global: Option<String>,
}

/// Validates and instruments a module, and checks the outcome once more.
///
/// Takes time linear in the module's size and never panics, whatever the bytes.
///
/// # Errors
/// [`UploadError`] says what is refused, and where.
///
/// # Examples
/// ```
/// use tollway::{Limits, engine::validate::{UploadError, prepare}};
/// let error = prepare(b"\0asm\x01\0\0\0", &Limits::default()).unwrap_err();
/// assert_eq!(error, UploadError::MemoryCount { count: 0 });
/// ```
pub fn prepare(wasm: &[u8], limits: &Limits) -> Result<Prepared, UploadError> {
    let validated = validate(wasm, limits)?;
    let instrumented = instrument::instrument(wasm, &validated, limits)?;
    Validator::new_with_features(config::features())
        .validate_all(&instrumented.wasm)
        .map_err(|_| UploadError::Bug("instrumentation made an invalid module"))?;
    Ok(Prepared {
        wasm: instrumented.wasm,
        abi: validated.abi,
        memory_pages_min: validated.memory_pages_min,
        memory_pages_max: validated.memory_pages_max,
        window: validated.window,
        mutable_globals: instrumented.mutable_globals,
        depth_global: instrumented.depth_global,
    })
}

/// Checks that a module may be stored.
///
/// # Errors
/// [`UploadError`] says what is refused, and where.
pub fn validate(wasm: &[u8], limits: &Limits) -> Result<Validated, UploadError> {
    if wasm.len() > limits.module_bytes_max {
        let (size, limit) = (wasm.len(), limits.module_bytes_max);
        return Err(UploadError::ModuleTooLarge { size, limit });
    }
    let mut pass = Pass::new(limits);
    for payload in Parser::new(0).parse_all(wasm) {
        pass.payload(payload?)?;
    }
    pass.finish()
}

/// One walk over the sections, in their order.
struct Pass<'a> {
    limits: &'a Limits,
    validator: Validator,
    allocations: FuncValidatorAllocations,
    shape: Shape,
    bodies: u32,
    abi: Option<&'a [u8]>,
}

impl<'a> Pass<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            validator: Validator::new_with_features(config::features()),
            allocations: FuncValidatorAllocations::default(),
            shape: Shape::default(),
            bodies: 0,
            abi: None,
        }
    }

    fn payload(&mut self, payload: Payload<'a>) -> Result<(), UploadError> {
        // Counts come first, so that nothing large is even validated; then Wasm's own rules, so
        // that ours may rely on them.
        self.counts(&payload)?;
        if let ValidPayload::Func(function, body) = self.validator.payload(&payload)? {
            self.body_size(&body)?;
            let allocations = std::mem::take(&mut self.allocations);
            let mut validator = function.into_validator(allocations);
            validator.validate(&body)?;
            self.allocations = validator.into_allocations();
            self.body_operators(&body)?;
            self.bodies += 1;
            return Ok(());
        }
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    self.function_type(ty?)?;
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(import?)?;
                }
            }
            Payload::FunctionSection(section) => {
                for type_index in section {
                    self.shape.functions.push(type_index?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.shape.tables.push(table?.ty.initial);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    self.shape.memories.push((memory.initial, memory.maximum));
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let mutable = if global.ty.mutable { "mut " } else { "" };
                    let ty = format!("{mutable}{}", global.ty.content_type);
                    self.shape.globals.push(Global { ty, value: constant(&global.init_expr) });
                    self.shape.globals_mutable.push(global.ty.mutable);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.name.starts_with(RESERVED_EXPORT) {
                        return Err(UploadError::ReservedExport { name: export.name.into() });
                    }
                    self.shape.exports.insert(export.name.into(), (export.kind, export.index));
                }
            }
            Payload::ElementSection(section) => self.elements(section)?,
            Payload::DataSection(section) => self.data(section)?,
            Payload::CustomSection(section) if section.name() == ABI_SECTION => {
                let size = section.data().len();
                if self.abi.is_some() {
                    return Err(UploadError::AbiTwice { offset: section.data_offset() });
                }
                if size > self.limits.abi_bytes_max {
                    let limit = self.limits.abi_bytes_max;
                    return Err(UploadError::AbiTooLarge { size, limit });
                }
                self.abi = Some(section.data());
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks the counts that sections begin with, before reading what they count.
    fn counts(&self, payload: &Payload<'_>) -> Result<(), UploadError> {
        let limits = self.limits;
        match payload {
            Payload::StartSection { func, .. } => {
                return Err(UploadError::StartFunction { function: *func });
            }
            Payload::TypeSection(section) if section.count() > limits.functions_max => {
                let (count, limit) = (section.count(), limits.functions_max);
                return Err(UploadError::TooManyTypes { count, limit });
            }
            Payload::ImportSection(section) if section.count() > limits.functions_max => {
                let (count, limit) = (section.count(), limits.functions_max);
                return Err(UploadError::TooManyFunctions { count, limit });
            }
            Payload::FunctionSection(section) => {
                let count = section.count().saturating_add(self.shape.imports);
                if count > limits.functions_max {
                    let limit = limits.functions_max;
                    return Err(UploadError::TooManyFunctions { count, limit });
                }
            }
            Payload::TableSection(section) if section.count() > 1 => {
                return Err(UploadError::TooManyTables { count: section.count() });
            }
            Payload::MemorySection(section) if section.count() > 1 => {
                return Err(UploadError::MemoryCount { count: section.count() });
            }
            Payload::GlobalSection(section) if section.count() > limits.globals_max => {
                let (count, limit) = (section.count(), limits.globals_max);
                return Err(UploadError::TooManyGlobals { count, limit });
            }
            Payload::ExportSection(section) if section.count() > limits.functions_max => {
                let (count, limit) = (section.count(), limits.functions_max);
                return Err(UploadError::TooManyExports { count, limit });
            }
            Payload::ElementSection(section) => self.segments(section.count())?,
            Payload::DataSection(section) => self.segments(section.count())?,
            Payload::DataCountSection { count, .. } => self.segments(*count)?,
            _ => {}
        }
        Ok(())
    }

    fn segments(&self, count: u32) -> Result<(), UploadError> {
        let limit = self.limits.segments_max;
        if count > limit {
            return Err(UploadError::TooManySegments { count, limit });
        }
        Ok(())
    }

    fn function_type(&mut self, ty: FuncType) -> Result<(), UploadError> {
        let count = ty.params().len().max(ty.results().len());
        let limit = self.limits.params_max;
        if count > limit {
            let type_index = self.shape.types.len() as u32;
            return Err(UploadError::TooManyParams { type_index, count, limit });
        }
        self.shape.types.push(ty);
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'_>) -> Result<(), UploadError> {
        let name = import.name;
        if import.module != HOST_MODULE {
            return Err(UploadError::ImportModule {
                module: import.module.into(),
                name: name.into(),
            });
        }
        let type_index = match import.ty {
            TypeRef::Func(type_index) | TypeRef::FuncExact(type_index) => type_index,
            TypeRef::Table(_) => return Err(import_kind(name, "table")),
            TypeRef::Memory(_) => return Err(import_kind(name, "memory")),
            TypeRef::Global(_) => return Err(import_kind(name, "global")),
            TypeRef::Tag(_) => return Err(import_kind(name, "tag")),
        };
        let host =
            host_function(name).ok_or_else(|| UploadError::ImportUnknown { name: name.into() })?;
        let ty = (self.shape.types.get(type_index as usize))
            .ok_or(UploadError::Bug("a validated import has no type"))?;
        if !has_signature(ty, host) {
            return Err(UploadError::ImportSignature {
                name: name.into(),
                found: signature_text(ty.params(), ty.results()),
                expected: signature_text(&host_params(host), &host_results(host)),
            });
        }
        self.shape.functions.push(type_index);
        self.shape.imports += 1;
        Ok(())
    }

    fn elements(
        &mut self,
        section: wasmparser::ElementSectionReader<'_>,
    ) -> Result<(), UploadError> {
        for (segment, element) in section.into_iter().enumerate() {
            let element = element?;
            let not_constant = UploadError::SegmentNotConstant { offset: element.range.start };
            let ElementItems::Functions(functions) = element.items else {
                return Err(not_constant);
            };
            if let ElementKind::Active { offset_expr, .. } = element.kind {
                let offset = constant(&offset_expr).ok_or(not_constant)?;
                let size = self.shape.tables.first().copied().unwrap_or(0);
                let end = u64::from(offset) + u64::from(functions.count());
                if end > size {
                    let segment = segment as u32;
                    return Err(UploadError::ElementsOutOfBounds { segment, end, size });
                }
            }
            // Those of passive segments too: more edges than there are can only cost stack.
            for function in functions {
                self.shape.table_functions.push(function?);
            }
        }
        self.shape.table_functions.sort_unstable();
        self.shape.table_functions.dedup();
        Ok(())
    }

    fn data(&mut self, section: wasmparser::DataSectionReader<'_>) -> Result<(), UploadError> {
        for (segment, data) in section.into_iter().enumerate() {
            let data = data?;
            let DataKind::Active { offset_expr, .. } = data.kind else {
                continue;
            };
            let offset = constant(&offset_expr)
                .ok_or(UploadError::SegmentNotConstant { offset: data.range.start })?;
            let pages = self.shape.memories.first().map_or(0, |memory| memory.0);
            let size = pages.saturating_mul(PAGE_BYTES);
            let end = u64::from(offset) + data.data.len() as u64;
            if end > size {
                let segment = segment as u32;
                return Err(UploadError::DataOutOfBounds { segment, end, size });
            }
        }
        Ok(())
    }

    fn body_size(&self, body: &FunctionBody<'_>) -> Result<(), UploadError> {
        let function = self.shape.imports + self.bodies;
        let (size, limit) = (body.range().len(), self.limits.function_bytes_max);
        if size > limit {
            return Err(UploadError::FunctionTooLarge { function, size, limit });
        }
        // Locals come in runs, each with a count of up to 2³², so they are summed in 64 bits; a
        // body's bytes bound the number of runs.
        let mut count = self.shape.function_type(function).map_or(0, |ty| ty.params().len()) as u64;
        for run in body.get_locals_reader()? {
            count += u64::from(run?.0);
        }
        let limit = self.limits.locals_max;
        if count > u64::from(limit) {
            return Err(UploadError::TooManyLocals { function, count, limit });
        }
        Ok(())
    }

    fn body_operators(&self, body: &FunctionBody<'_>) -> Result<(), UploadError> {
        let function = self.shape.imports + self.bodies;
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, offset) = operator?;
            if let Some(operator) = refused(&operator) {
                return Err(UploadError::OperatorRefused { function, operator, offset });
            }
            if let Operator::BrTable { targets } = &operator {
                let (count, limit) = (targets.len(), self.limits.branch_targets_max);
                if count > limit {
                    return Err(UploadError::TooManyBranchTargets {
                        function,
                        offset,
                        count,
                        limit,
                    });
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Validated, UploadError> {
        let (limits, shape) = (self.limits, self.shape);
        let [(pages, maximum)] = shape.memories[..] else {
            return Err(UploadError::MemoryCount { count: shape.memories.len() as u32 });
        };
        if pages > limits.memory_pages_max {
            return Err(UploadError::MemoryTooLarge { pages, limit: limits.memory_pages_max });
        }
        if shape.exports.get("memory") != Some(&(ExternalKind::Memory, 0)) {
            return Err(UploadError::MemoryNotExported);
        }
        if let Some(elements) = shape.tables.first().copied()
            && elements > limits.table_elements_max
        {
            return Err(UploadError::TableTooLarge { elements, limit: limits.table_elements_max });
        }
        let window = window(&shape, pages)?;
        let abi = abi_check::decode(self.abi.ok_or(UploadError::AbiMissing)?)?;
        abi_check::check(&abi, limits, |method| method_export(&shape, method))?;
        Ok(Validated {
            abi,
            memory_pages_min: pages,
            memory_pages_max: maximum.unwrap_or(u64::MAX).min(limits.memory_pages_max),
            window,
            shape,
        })
    }
}

/// Bytes of a page of memory.
const PAGE_BYTES: u64 = 1 << 16;

fn import_kind(name: &str, kind: &'static str) -> UploadError {
    UploadError::ImportKind { name: name.into(), kind }
}

/// The name of an operator that would change what outlives a call, although Wasm allows it.
fn refused(operator: &Operator<'_>) -> Option<&'static str> {
    Some(match operator {
        Operator::DataDrop { .. } => "data.drop",
        Operator::ElemDrop { .. } => "elem.drop",
        Operator::TableInit { .. } => "table.init",
        Operator::TableCopy { .. } => "table.copy",
        Operator::TableSet { .. } => "table.set",
        Operator::TableGrow { .. } => "table.grow",
        Operator::TableFill { .. } => "table.fill",
        _ => return None,
    })
}

/// The value of an expression that is one `i32.const`.
fn constant(expr: &wasmparser::ConstExpr<'_>) -> Option<u32> {
    let mut operators = expr.get_operators_reader();
    let value = match operators.read().ok()? {
        Operator::I32Const { value } => value as u32,
        _ => return None,
    };
    matches!(operators.read(), Ok(Operator::End)).then_some(value)
}

/// Whether a function of this name is exported, and if so, whether as `(i32) -> i32`.
fn method_export(shape: &Shape, method: &str) -> abi_check::MethodExport {
    let Some((ExternalKind::Func, function)) = shape.exports.get(method) else {
        return abi_check::MethodExport::Missing;
    };
    let is_method = (shape.function_type(*function))
        .is_some_and(|ty| ty.params() == [ValType::I32] && ty.results() == [ValType::I32]);
    if is_method { abi_check::MethodExport::Fits } else { abi_check::MethodExport::WrongSignature }
}

/// Where the window of a module starts whose memory starts with so many pages, if it has one.
fn window(shape: &Shape, pages: u64) -> Result<Option<u32>, UploadError> {
    let Some((kind, index)) = shape.exports.get(WINDOW_EXPORT) else {
        return Ok(None);
    };
    if *kind != ExternalKind::Global {
        return Err(UploadError::WindowNotGlobal);
    }
    // No global is imported, so that indices start with the module's own.
    let global = (shape.globals.get(*index as usize))
        .ok_or(UploadError::Bug("a validated export has no global"))?;
    if global.ty != "i32" {
        return Err(UploadError::WindowType { found: global.ty.clone() });
    }
    // The features that would let it be anything else are refused.
    let start = global.value.ok_or(UploadError::Bug("an i32 is initialized by no constant"))?;
    let alignment = WINDOW_ALIGNMENT;
    if !start.is_multiple_of(alignment) {
        return Err(UploadError::WindowMisaligned { start, alignment });
    }
    let (end, size) = (u64::from(start) + WINDOW_BYTES as u64, pages.saturating_mul(PAGE_BYTES));
    if end > size {
        return Err(UploadError::WindowOutOfBounds { end, size });
    }
    Ok(Some(start))
}

fn value_type(word: WordType) -> ValType {
    match word {
        WordType::U32 => ValType::I32,
        WordType::U64 => ValType::I64,
    }
}

fn host_params(host: &HostFunction) -> Vec<ValType> {
    host.params.iter().map(|(_, word)| value_type(*word)).collect()
}

fn host_results(host: &HostFunction) -> Vec<ValType> {
    host.result.iter().map(|word| value_type(*word)).collect()
}

fn has_signature(ty: &FuncType, host: &HostFunction) -> bool {
    ty.params() == host_params(host) && ty.results() == host_results(host)
}

fn signature_text(params: &[ValType], results: &[ValType]) -> String {
    let text =
        |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", text(params), text(results))
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
