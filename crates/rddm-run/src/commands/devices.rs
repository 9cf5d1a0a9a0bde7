//! `rddm-run devices`

use rddm_runtime::{Device, EngineOptions, engines};
use serde::Serialize;

use crate::args::Devices;
use crate::failure::Failure;
use crate::terminal::{Terminal, table};

#[derive(Serialize)]
struct Report {
    schema: u32,
    engines: Vec<Engine>,
}

#[derive(Serialize)]
struct Engine {
    name: &'static str,
    summary: &'static str,
    devices: Vec<Found>,
    /// Why the engine itself can't be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Found {
    device: String,
    available: bool,
    detail: String,
}

pub(crate) fn run(args: &Devices, terminal: &mut Terminal) -> Result<u8, Failure> {
    let mut options = EngineOptions::default();
    options.device = Device::Cpu;
    options.library = args.library.path();
    let engines: Vec<Engine> = engines()
        .iter()
        .map(|engine| {
            let (devices, error) = match engine.devices(&options) {
                Ok(devices) => (devices, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            let devices = devices
                .into_iter()
                .map(|info| Found {
                    device: info.device.to_string(),
                    available: info.available,
                    detail: info.detail,
                })
                .collect();
            Engine { name: engine.name(), summary: engine.summary(), devices, error }
        })
        .collect();

    for engine in &engines {
        terminal.result(&format!("{}: {}", engine.name, engine.summary))?;
        let rows: Vec<Vec<String>> = engine.devices.iter().map(Found::row).collect();
        if !rows.is_empty() {
            terminal.result(&table(&rows))?;
        }
        if let Some(error) = &engine.error {
            terminal.result(&format!("  not usable: {error}"))?;
        }
    }
    terminal.report(&Report { schema: 1, engines })?;
    Ok(0)
}

impl Found {
    fn row(&self) -> Vec<String> {
        let mark = if self.available { "there" } else { "missing" };
        vec![format!("  {:<10} {mark:<8} {}", self.device, self.detail)]
    }
}
