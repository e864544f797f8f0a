//! `uniffi-bindgen LIBRARY OUT LANGUAGE…`: writes the sources of the bindings from the built library.
//!
//! Nothing that it writes is committed: an app's build runs it on the library that the app ships.

use anyhow::{Context, bail};
use camino::Utf8PathBuf;
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [library, out, languages @ ..] = words.as_slice() else {
        bail!("usage: uniffi-bindgen LIBRARY OUT (kotlin|swift|python)…");
    };
    let languages = languages.iter().map(|word| match word.as_str() {
        "kotlin" => Ok(TargetLanguage::Kotlin),
        "swift" => Ok(TargetLanguage::Swift),
        "python" => Ok(TargetLanguage::Python),
        other => bail!("{other} is no language of the bindings: kotlin, swift or python"),
    });
    let options = GenerateOptions {
        languages: languages.collect::<anyhow::Result<_>>()?,
        source: Utf8PathBuf::from(library),
        out_dir: Utf8PathBuf::from(out),
        ..GenerateOptions::default()
    };
    generate(options).with_context(|| format!("bindings of {library}"))
}
