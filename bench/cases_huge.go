package main

import (
	"errors"
	"io"
	"os"
	"time"
)

// huge: a file larger than the memory limit, once.
func (e *env) huge() *bcase {
	size := e.size(10 << 30)
	src, dst, reg, tmp := e.path("src"), e.path("dst"), e.path("registry"), e.path("tmp")
	var saveErr error
	return &bcase{
		name: "huge", title: "Save and load " + human(size) + ", local: memory and disk",
		note:   "Disk is the most that the registry or the destination, with the directory for temporary files, held at any time, as a multiple of the data.",
		rounds: 1,
		setup:  func() error { return noiseFile(src, 5, size) },
		clean:  remove(src, reg, dst),
		runs: []*competitor{
			{
				name: saved, prepare: func() error { return e.mindreg(reg, "init").must() },
				run: func() (sample, error) {
					var s sample
					s, saveErr = watched(e.mindreg(reg, "save", "bench", src), size, reg, tmp)
					return s, saveErr
				},
				clean: remove(src), // room for the load
			},
			{
				name: loaded, clean: remove(dst),
				prepare: func() error { return errors.Join(saveErr, os.Mkdir(dst, 0o777)) },
				run: func() (sample, error) {
					return watched(e.mindreg(reg, "load", "bench", dst+"/out"), size, dst, tmp)
				},
				check: func() error {
					f, err := os.Open(dst + "/out")
					if err != nil {
						return err
					}
					defer f.Close()
					return sameBytes(f, io.LimitReader(noise(5), size), "what was loaded")
				},
			},
		},
		targets: []target{
			rssAtMost(saved, 256<<20), rssAtMost(loaded, 256<<20),
			extraAtMost(saved, "disk", 1.02, saved+": disk ≤ 1.02 × data", "%.3f ×"),
			extraAtMost(loaded, "disk", 1.02, loaded+": disk ≤ 1.02 × data", "%.3f ×"),
		},
	}
}

// watched runs a command and measures the largest size of directories
// meanwhile, as a multiple of the data.
func watched(c command, size int64, dirs ...string) (sample, error) {
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		for done := false; !done; {
			select {
			case <-stop:
				done = true
			case <-time.After(100 * time.Millisecond):
			}
			var now int64
			for _, d := range dirs {
				now += sizeBelow(d)
			}
			peak = max(peak, now)
		}
		most <- peak
	}()
	s, err := c.run()
	close(stop)
	s.Extra = map[string]float64{"disk": float64(<-most) / float64(size)}
	return s, err
}
