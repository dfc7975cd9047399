//! The learning rate of each epoch.

/// The learning rates of the original for `epochs` epochs: ten epochs from 0 to `rate` in equal steps, then `rate`. Of
/// more than 300 epochs, the last 100 halve it every 10 epochs; of more than 100, the last 50 every 5 epochs.
///
/// ```
/// let rates = flowmask::train::learning_rates(500, 0.2);
/// assert_eq!((rates[0], rates[200], rates[400]), (0.0, 0.2, 0.1));
/// ```
pub fn learning_rates(epochs: usize, rate: f64) -> Vec<f64> {
    let (halvings, every) = match epochs {
        301.. => (10, 10),
        101.. => (10, 5),
        _ => (0, 1),
    };
    let constant = epochs - halvings * every;
    let of_epoch = |epoch: usize| match epoch {
        0..10 => rate / 9.0 * epoch as f64,
        _ if epoch < constant => rate,
        _ => rate / 2f64.powi(((epoch - constant) / every + 1) as i32),
    };
    (0..epochs).map(of_epoch).collect()
}
