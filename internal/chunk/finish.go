package chunk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/manifest"
)

// Result is what a Writer stored.
type Result struct {
	Files  []manifest.File // in the order of paths; with chunks, unless they are inline
	Inline []byte          // the bytes of the files end to end, if they are not in packs
	Packs  []manifest.Pack
	// Evidence is the earliest store time at which any of the packs was
	// certainly there: the commit has Times.Window from then. Zero without
	// packs.
	Evidence time.Time
	Stats    Stats
}

// Finish stores the rest and ends the Writer.
func (w *Writer) Finish() (*Result, error) {
	defer w.Abort()
	if err := context.Cause(w.p.ctx); err != nil {
		return nil, w.failure(err)
	}
	if w.open != nil {
		return nil, fmt.Errorf("file %q was not closed", w.open.entry.Path)
	}
	slices.SortFunc(w.p.files, func(a, b *file) int { return strings.Compare(a.entry.Path, b.entry.Path) })
	for i := 1; i < len(w.p.files); i++ {
		if p := w.p.files[i].entry.Path; p == w.p.files[i-1].entry.Path {
			return nil, fmt.Errorf("file %q was created twice", p)
		}
	}
	if !w.started && w.total <= int64(w.p.cfg.MaxInline) {
		return w.inline(), nil
	}
	if w.seg != nil {
		if err := w.dispatch(); err != nil {
			return nil, w.failure(err)
		}
	}
	w.stop()
	if err := w.p.group.Wait(); err != nil {
		return nil, err
	}
	return w.p.result(), nil
}

// failure prefers the error of a goroutine to the cancellation it caused.
func (w *Writer) failure(err error) error {
	if w.started {
		w.stop()
		if gerr := w.p.group.Wait(); gerr != nil {
			return gerr
		}
	}
	return err
}

// inline returns a result that holds the bytes themselves.
func (w *Writer) inline() *Result {
	r := &Result{Stats: Stats{Read: w.total}}
	where := map[*file][2]int{}
	if w.seg != nil {
		for _, c := range w.seg.cuts {
			if c.end > c.start {
				at, ok := where[c.file]
				if !ok {
					at[0] = c.start
				}
				where[c.file] = [2]int{at[0], c.end}
			}
		}
	}
	for _, f := range w.p.files {
		if at, ok := where[f]; ok {
			b := w.seg.buf[at[0]:at[1]]
			f.entry.SHA256 = manifest.Sum(b)
			r.Inline = append(r.Inline, b...)
		}
		r.Files = append(r.Files, f.entry)
	}
	return r
}
