use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ndarray::{Array4, ArrayView4};
use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use super::{Device, DeviceInfo, Engine, EngineOptions, Footprint, Network, tract::Tract};
use crate::{Error, ErrorKind, onnx::Signature};

/// ONNX Runtime, a shared library that is loaded when a network is.
pub(super) struct OnnxRuntime;

/// What a session takes beside weights and tensors, and what the allocator keeps for it; as measured.
const SESSION: u64 = 8_000_000;

/// An execution provider of ONNX Runtime.
struct Provider {
    name: &'static str,
    summary: &'static str,
    compiled_in: fn() -> ort::Result<bool>,
    /// Whether there may be several of its devices, which have numbers.
    numbered: bool,
    on: fn(u32) -> ExecutionProviderDispatch,
}

/// In the order in which [`Device::Auto`] tries them.
const PROVIDERS: [Provider; 3] = [
    Provider {
        name: "cuda",
        summary: "NVIDIA GPU",
        compiled_in: || ep::CUDA::default().is_there(),
        numbered: true,
        // TF32 would round to 10 bits, which is more than a level of a picture.
        on: |number| {
            ep::CUDA::default()
                .with_device_id(number.cast_signed())
                .with_tf32(false)
                .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                .build()
        },
    },
    Provider {
        name: "coreml",
        summary: "Apple GPU and neural engine",
        compiled_in: || ep::CoreML::default().is_there(),
        numbered: false,
        on: |_| ep::CoreML::default().build(),
    },
    Provider {
        name: "directml",
        summary: "GPU on Windows",
        compiled_in: || ep::DirectML::default().is_there(),
        numbered: true,
        on: |number| ep::DirectML::default().with_device_id(number.cast_signed()).build(),
    },
];

/// Whether this build of ONNX Runtime has a provider; not whether its device is there.
trait IsThere {
    fn is_there(&self) -> ort::Result<bool>;
}

impl<P: ep::ExecutionProvider> IsThere for P {
    fn is_there(&self) -> ort::Result<bool> {
        P::is_available()
    }
}

impl Engine for OnnxRuntime {
    fn name(&self) -> &'static str {
        "ort"
    }

    fn summary(&self) -> &'static str {
        "ONNX Runtime, a shared library, on the processor or a GPU"
    }

    fn devices(&self, options: &EngineOptions) -> Result<Vec<DeviceInfo>, Error> {
        let environment = environment(options.library.as_deref())?;
        let cpu = DeviceInfo {
            device: Device::Cpu,
            available: true,
            detail: format!("{} processor, {}", std::env::consts::ARCH, ort::info()),
        };
        let others = PROVIDERS.iter().map(|provider| {
            let refused = registered(&environment, provider, 0).err();
            DeviceInfo {
                device: Device::Named(provider.name.to_owned(), 0),
                available: refused.is_none(),
                detail: refused.map_or(provider.summary.to_owned(), |error| error.to_string()),
            }
        });
        Ok(std::iter::once(cpu).chain(others).collect())
    }

    fn load(&self, onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Network>, Error> {
        let signature = Signature::read(onnx)?;
        let environment = environment(options.library.as_deref())?;
        let plan = Plan {
            environment,
            onnx: onnx.into(),
            threads: options.threads.max(1),
            lean: options.lean,
            signature,
        };
        let (session, device) = match &options.device {
            Device::Auto => {
                let found = PROVIDERS
                    .iter()
                    .find_map(|provider| Some((plan.on(provider, 0).ok()?, provider.name)));
                match found {
                    Some((session, name)) => (session, name.to_owned()),
                    None => (plan.on_cpu()?, "cpu".to_owned()),
                }
            }
            device => (plan.session(device)?, device.to_string()),
        };
        Ok(Box::new(OrtNetwork { plan: Arc::new(plan), session: Some(session), device }))
    }
}

/// What is needed to make a session.
struct Plan {
    environment: Environment,
    onnx: Box<[u8]>,
    threads: usize,
    lean: bool,
    signature: Signature,
}

impl Plan {
    fn session(&self, device: &Device) -> Result<Session, Error> {
        let Device::Named(name, number) = device else { return self.on_cpu() };
        let provider =
            PROVIDERS.iter().find(|provider| provider.name == name).ok_or_else(|| {
                let names = PROVIDERS.map(|provider| provider.name).join(", ");
                let what = format!("the engine ort knows no device {name}, only cpu, {names}");
                Error::new(ErrorKind::Device, what)
            })?;
        self.on(provider, *number)
    }

    fn on_cpu(&self) -> Result<Session, Error> {
        let builder =
            Session::builder(&self.environment).map_err(failed("cannot make a session"))?;
        if !self.lean {
            return self.commit(builder);
        }
        // An arena keeps what each shape of a batch took.
        let without_arena = [ep::CPU::default().with_arena_allocator(false).build()];
        let builder = builder
            .with_execution_providers(without_arena)
            .map_err(failed("cannot switch its arena off"))?
            .with_memory_pattern(false)
            .map_err(failed("cannot switch its memory patterns off"))?;
        self.commit(builder)
    }

    fn on(&self, provider: &Provider, number: u32) -> Result<Session, Error> {
        let builder = registered(&self.environment, provider, number)?;
        self.commit(builder)
            .map_err(|error| error.within(&format!("on the device {}", provider.name)))
    }

    fn commit(&self, builder: ort::session::builder::SessionBuilder) -> Result<Session, Error> {
        builder
            .with_optimization_level(GraphOptimizationLevel::All)
            .map_err(failed("cannot set the optimisation"))?
            .with_intra_threads(self.threads)
            .map_err(failed("cannot set the threads"))?
            .commit_from_memory(&self.onnx)
            .map_err(failed("ONNX Runtime does not take the network"))
    }
}

/// A session that has the provider, or an error that says why it cannot.
fn registered(
    environment: &Environment,
    provider: &Provider,
    number: u32,
) -> Result<ort::session::builder::SessionBuilder, Error> {
    let Provider { name, .. } = provider;
    if number > 0 && !provider.numbered {
        let what = format!("there is one device {name}, without a number; ask for {name}, or cpu");
        return Err(Error::new(ErrorKind::Device, what));
    }
    if !(provider.compiled_in)().is_ok_and(|there| there) {
        let what = format!(
            "this build of ONNX Runtime has no {name}; name the library of a build that has it, or ask for the device cpu"
        );
        return Err(Error::new(ErrorKind::Device, what));
    }
    let providers = [(provider.on)(number).error_on_failure()];
    let builder = Session::builder(environment).map_err(failed("cannot make a session"))?;
    builder.with_execution_providers(providers).map_err(|error| {
        let what = format!(
            "the device {name}:{number} cannot be used ({}); install what it needs, or ask for the device cpu",
            error.message()
        );
        Error::new(ErrorKind::Device, what)
    })
}

/// The one environment that a process can have, of the library that was asked for first.
fn environment(library: Option<&Path>) -> Result<Environment, Error> {
    static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |path: &Path, asked: &Path| {
        path == asked
            || path.canonicalize().is_ok_and(|path| Some(path) == asked.canonicalize().ok())
    };
    match (&*loaded, library) {
        (Some((_, environment)), None) => return Ok(environment.clone()),
        (Some((path, environment)), Some(asked)) if same(path, asked) => {
            return Ok(environment.clone());
        }
        (Some((path, _)), Some(asked)) => {
            let what = format!(
                "this process runs the ONNX Runtime of {} already; {} needs another process",
                path.display(),
                asked.display()
            );
            return Err(Error::new(ErrorKind::Engine, what));
        }
        (None, _) => {}
    }
    let Some(library) = library else {
        let what = "the engine ort needs ONNX Runtime, and no library was named; install it (the PyPI package onnxruntime has it as capi/libonnxruntime.so.*) and say where it is (the commands read ORT_DYLIB_PATH), or use the engine tract";
        return Err(Error::new(ErrorKind::Engine, what));
    };
    // ort looks for relative paths beside the program; here they mean what they mean to the caller.
    let bare = library.components().count() == 1 && !library.exists();
    let path = match bare {
        true => library.to_owned(),
        false => std::path::absolute(library).map_err(|error| {
            Error::caused(ErrorKind::Engine, format!("{} is no path", library.display()), error)
        })?,
    };
    let builder = ort::init_from(&path).map_err(|error| {
        let what = format!(
            "cannot load ONNX Runtime from {}; version 1.{} or later is needed",
            path.display(),
            ort::MINOR_VERSION
        );
        Error::caused(ErrorKind::Engine, what, error)
    })?;
    let environment = builder
        .with_name("rddm")
        .with_telemetry(false)
        // Without one, ONNX Runtime writes to stderr. Its errors come back as results too.
        .with_logger(Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(failed("ONNX Runtime does not start"))
        .map_err(|error| error.of(ErrorKind::Engine))?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

struct OrtNetwork {
    plan: Arc<Plan>,
    /// Runs of one session must not overlap, so each fork makes its own when it first runs.
    session: Option<Session>,
    device: String,
}

impl Network for OrtNetwork {
    fn inputs(&self) -> &[String] {
        &self.plan.signature.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.plan.signature.outputs
    }

    fn device(&self) -> &str {
        &self.device
    }

    fn run(&mut self, x: ArrayView4<'_, f32>, times: &[f32]) -> Result<Vec<Array4<f32>>, Error> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(self.plan.session(&self.device.parse()?)?),
        };
        let (n, c, h, w) = x.dim();
        let x = x.as_standard_layout();
        let values = x.as_slice().unwrap_or_default();
        let times: Vec<Vec<f32>> = times.iter().map(|&time| vec![time; n]).collect();
        let refused = "cannot give a tensor to ONNX Runtime";
        let mut inputs: Vec<SessionInputValue<'_>> = Vec::with_capacity(1 + times.len());
        let tensor = TensorRef::from_array_view(([n, c, h, w], values)).map_err(failed(refused))?;
        inputs.push(tensor.into());
        for time in &times {
            let tensor =
                TensorRef::from_array_view(([n], time.as_slice())).map_err(failed(refused))?;
            inputs.push(tensor.into());
        }
        let results =
            session.run(inputs.as_slice()).map_err(failed("the network fails in ONNX Runtime"))?;
        let arrays = results.values().map(|value| {
            let (shape, values) = value
                .try_extract_tensor::<f32>()
                .map_err(failed("the network's output is no f32 tensor"))?;
            let sides: Vec<usize> =
                shape.iter().map(|&side| side.unsigned_abs() as usize).collect();
            let odd = || {
                let what =
                    format!("the network's output has the shape {sides:?}, not [n, c, h, w]");
                Error::new(ErrorKind::Network, what)
            };
            let sides: [usize; 4] = sides.as_slice().try_into().map_err(|_| odd())?;
            Array4::from_shape_vec(sides, values.to_vec()).map_err(|_| odd())
        });
        arrays.collect()
    }

    fn footprint(&self, shape: [usize; 4]) -> Result<Footprint, Error> {
        // ONNX Runtime does not tell; the tensors are about those of tract.
        let told = Tract.load(&self.plan.onnx, &EngineOptions::default());
        let footprint = told
            .and_then(|network| network.footprint(shape))
            .map_err(|error| {
                error.within("tract, which tells ONNX Runtime's memory too, does not run it (set no limit of memory)")
            })?;
        let weights = footprint.weights + SESSION;
        Ok(Footprint { weights, own_weights: true, keeps_more: !self.plan.lean, ..footprint })
    }

    fn fork(&self) -> Result<Box<dyn Network>, Error> {
        let (plan, device) = (Arc::clone(&self.plan), self.device.clone());
        Ok(Box::new(Self { plan, session: None, device }))
    }
}

/// Turns an error of ONNX Runtime into one that says what was tried.
fn failed<R>(what: &str) -> impl Fn(ort::Error<R>) -> Error + '_ {
    move |error| Error::new(ErrorKind::Network, format!("{what}: {}", error.message()))
}
