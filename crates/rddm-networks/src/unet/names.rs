//! The official names of weights.

/// The official name of the module `name` inside a container of type `container` (as burn's visitors tell it:
/// "Struct:TimeMlp", "Enum:Resample", "Vec"); empty where the official code has no level of its own.
pub(crate) fn official<'a>(container: &str, name: &'a str) -> &'a str {
    match (container, name) {
        // Python's nn.ModuleList and nn.Sequential count their parts.
        ("Struct:Level", "first") => "0",
        ("Struct:Level", "second") => "1",
        ("Struct:Level", "attention") => "2",
        ("Struct:Level", "resample") => "3",
        ("Struct:Upsample", "conv") => "1",
        ("Struct:TimeMlp", "hidden") => "1",
        ("Struct:TimeMlp", "output") => "3",
        ("Struct:ResnetBlock", "mlp") => "mlp.1",
        ("Struct:LinearAttention", "to_out") => "to_out.0",
        ("Struct:LinearAttention", "norm") => "to_out.1",
        // Residual(PreNorm(attention)).
        ("Struct:PreNorm", "norm") => "fn.norm",
        ("Struct:PreNorm", "body") => "fn.fn",
        // Levels that only this code has.
        ("Struct:Unet" | "Struct:SharedUnet", "encoder")
        | ("Enum:Resample" | "Enum:UnetRes", _) => "",
        _ => name,
    }
}
