//! A server that was started for somebody else's sake (a demo, a test) ends with them, however they end.
//!
//! Who starts it holds the other end of its standard input. The system closes that end when its holder is gone, killed as well:
//! nothing has to be sent, and nobody has to be there to send it.

use clap::Args;
use tokio::sync::oneshot;

#[derive(Args)]
pub(super) struct Leash {
    /// Ends in good order when standard input does: with whoever started it, also when that one was killed.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// What waits for that end.
pub(super) struct Held(Option<oneshot::Receiver<()>>);

impl Leash {
    /// From now on watches standard input, if that was asked for.
    pub(super) fn watch(&self) -> Held {
        Held(self.until_stdin_closes.then(|| {
            let (tell, told) = oneshot::channel();
            // A thread of its own: one of the runtime's that reads would keep the process from ending otherwise.
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                let _ = tell.send(());
            });
            told
        }))
    }
}

impl Held {
    /// Returns once whoever held the server is gone; never, when nobody does.
    pub(super) async fn let_go(&mut self) {
        match self.0.as_mut() {
            Some(told) => drop(told.await),
            None => std::future::pending().await,
        }
    }
}
