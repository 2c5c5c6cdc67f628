package main

import (
	"io"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	registry "github.com/mindtrace/registry"
)

// bars shows a progress bar on a terminal.
type bars struct {
	mu  sync.Mutex
	p   *mpb.Progress
	bar *mpb.Bar
	of  string // what bar shows
}

// progress returns a callback that draws progress, or nil where nobody would
// see it.
func (a *app) progress() func(registry.Progress) {
	f, ok := a.stderr.(*os.File)
	if a.quiet || a.verbose || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(p registry.Progress) { a.bars.show(f, p) }
}

func (b *bars) show(w io.Writer, p registry.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.p == nil {
		b.p = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	}
	if of := p.Op + " " + p.Ref; b.bar == nil || b.of != of {
		b.of = of
		b.bar = b.p.AddBar(p.Total,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(
				decor.Name(of+" "),
				decor.CountersKiloByte("% .1f / % .1f"),
			),
			mpb.AppendDecorators(
				decor.AverageSpeed(decor.SizeB1000(0), "% .1f"),
				decor.Name("  "),
				decor.AverageETA(decor.ET_STYLE_GO),
			),
		)
	}
	b.bar.SetTotal(p.Total, false)
	b.bar.SetCurrent(p.Done)
	if p.Finished {
		b.bar.SetTotal(p.Total, true)
	}
}

// stop takes the bar away.
func (b *bars) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.p != nil {
		b.bar.Abort(true)
		b.p.Wait()
		b.p = nil
	}
}
