//! Blocks run on all cores, threads of the host apart.

use flowmask_emulator::{schedule, statistics};

use super::{alone, config, context, run, word};

#[test]
fn each_block_runs_once_in_each_order() {
    for cores in ["1", "4"] {
        let variables = [("FLOWMASK_EMULATOR_THREADS", cores)];
        alone("threads::each_block_runs_once_in_each_order", &variables, || {
            let stream = context(0).new_stream().unwrap();
            for (order, first) in [(0, Some(0)), (1, Some(0)), (2, Some(999)), (3, None)] {
                schedule(order, false, 7);
                let mut blocks = stream.alloc_zeros::<u32>(1000).unwrap();
                let (mut next, mut places) = (word(&stream, 0), stream.alloc_zeros::<u32>(1000).unwrap());
                let grid = config(1000, 40, 0);
                run!(&stream, "count_blocks", grid; &mut blocks, &mut next, &mut places).unwrap();
                assert_eq!(stream.clone_dtoh(&blocks).unwrap(), [40; 1000], "order {order}");
                let mut places = stream.clone_dtoh(&places).unwrap();
                if std::env::var("FLOWMASK_EMULATOR_THREADS").as_deref() == Ok("1") {
                    assert!(first.is_none_or(|first| places[0] == first), "order {order}: {}", places[0]);
                }
                places.sort();
                assert!(places.iter().enumerate().all(|(i, &block)| block == i as u32), "order {order}");
            }
        });
    }
}

#[test]
fn counters_are_the_threads_own() {
    let stream = context(0).new_stream().unwrap();
    let count = || {
        statistics();
        let source = stream.clone_htod(&[0u32; 128]).unwrap();
        let mut plain = stream.alloc_zeros::<u32>(128).unwrap();
        let mut transposed = stream.alloc_zeros::<u32>(128).unwrap();
        run!(&stream, "rows", config(1, 32, 512); &source, &mut plain, &mut transposed).unwrap();
        stream.synchronize().unwrap();
        statistics()
    };
    let [products, matrices, conflicts, barriers, shuffles, copies, ..] = count();
    assert_eq!([products, matrices, conflicts, barriers, shuffles, copies], [0, 64, 0, 1, 0, 0]);
    std::thread::scope(|scope| {
        assert_eq!(scope.spawn(count).join().unwrap()[1], 64);
    });
    assert_eq!(statistics(), [0; 8]);
}
