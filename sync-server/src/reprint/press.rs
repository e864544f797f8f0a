//! The fonts of this machine and the typesetter over them.

use std::path::PathBuf;

use fieldseal_proof::ids::BlobHash;
use fieldseal_render::{FontSet, RenderRequest, Renderer};

use super::Reprint;
use super::paper::Paper;

/// Prints with whichever set of fonts a document was printed with. Folders are read when the first document asks for them.
pub struct Press {
    folders: Vec<PathBuf>,
    renderers: Vec<Renderer>,
    /// Why the last folder had no set.
    lacking: Option<String>,
    looked: bool,
}

impl Press {
    /// Each folder has one set of fonts of its own.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self {
            folders,
            renderers: Vec::new(),
            lacking: None,
            looked: false,
        }
    }

    /// Prints a document again and compares.
    pub fn print(&mut self, paper: &Paper) -> Reprint {
        let content = match &paper.content {
            Ok(content) => content,
            Err(reprint) => return reprint.clone(),
        };
        let renderer = match self.with_fonts(&content.fonts) {
            Ok(renderer) => renderer,
            Err(reprint) => return reprint,
        };
        let mut here = None;
        for typesetting in &content.candidates {
            let request = RenderRequest {
                template_name: &typesetting.template,
                files: &typesetting.files,
                data: &typesetting.data,
                title: &typesetting.title,
                date: typesetting.date,
            };
            match renderer.render(&request) {
                Ok(rendered) if rendered.sha256 == *paper.pdf_sha256.as_bytes() => return Reprint::Same,
                Ok(rendered) => here = Some(Ok(BlobHash::from_bytes(rendered.sha256))),
                Err(error) => here = here.or(Some(Err(error.to_string()))),
            }
        }
        let typesetter = renderer.typesetter();
        match here {
            _ if content.typesetter.as_ref().is_some_and(|there| *there != typesetter) => Reprint::OtherTypesetter {
                there: content.typesetter.clone().unwrap_or_default(),
                here: typesetter,
            },
            Some(Ok(here)) => Reprint::Different { here },
            Some(Err(why)) => Reprint::Fails(why),
            None => Reprint::Unreadable,
        }
    }

    fn with_fonts(&mut self, fonts: &BlobHash) -> Result<&Renderer, Reprint> {
        if !self.looked {
            self.looked = true;
            for folder in &self.folders {
                match FontSet::discover(std::slice::from_ref(folder)) {
                    Ok(set) => self.renderers.push(Renderer::new(set)),
                    Err(error) => self.lacking = Some(error.to_string()),
                }
            }
        }
        if let (true, Some(why)) = (self.renderers.is_empty(), &self.lacking) {
            return Err(Reprint::NoFonts(why.clone()));
        }
        let mut of_them = self.renderers.iter();
        of_them
            .find(|renderer| renderer.fonts().fingerprint() == *fonts.as_bytes())
            .ok_or(Reprint::OtherFonts)
    }
}
