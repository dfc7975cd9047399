use flowmask::cuda::Buffer;
use flowmask::cuda::fill::fill;

use crate::device::on_device;

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn fill_sets_its_range_and_nothing_else() {
    on_device(|gpu| {
        let mut buffer = Buffer::of(gpu, &[7u32; 700]).unwrap();
        fill(gpu, &mut buffer, 3, 300).unwrap();
        let mut values = vec![0; 700];
        buffer.download_to(gpu, &mut values).unwrap();
        assert!(values[..300].iter().all(|&v| v == 3) && values[300..].iter().all(|&v| v == 7));
    });
}
