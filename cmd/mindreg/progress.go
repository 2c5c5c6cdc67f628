package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/internal/plain"
)

// bars shows the progress of an operation in one line of a terminal, which it
// overwrites.
type bars struct {
	mu    sync.Mutex
	w     io.Writer
	of    string // the operation that is shown
	start time.Time
	drawn time.Time
	width int // of the line on the terminal
}

const (
	redraw   = 100 * time.Millisecond // at most this often
	minWidth = 20                     // columns; a narrower terminal gets no progress
)

// progress returns a callback that draws progress, or nil if stderr is no
// terminal.
func (a *app) progress() func(registry.Progress) {
	f, ok := a.terminal.(*os.File)
	if a.quiet || a.verbose || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(p registry.Progress) {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > minWidth {
			a.bars.show(f, p, columns-1, time.Now())
		}
	}
}

func (b *bars) show(w io.Writer, p registry.Progress, columns int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if of := string(p.Op) + " " + p.Ref; b.of != of {
		b.of, b.start, b.drawn = of, now, time.Time{}
	}
	if p.Finished {
		b.erase()
		return
	}
	if now.Sub(b.drawn) < redraw {
		return
	}
	b.w, b.drawn = w, now
	line := []rune(plain.Text(progressLine(b.of, p, now.Sub(b.start))))
	line = line[:min(len(line), columns)]
	fmt.Fprint(w, "\r", string(line), strings.Repeat(" ", max(b.width-len(line), 0)))
	b.width = len(line)
}

// progressLine is like "save my:model  12 MB / 96 MB  12%  55 MB/s  2s left".
func progressLine(of string, p registry.Progress, took time.Duration) string {
	s := of + "  " + size(p.Done)
	if p.Total > 0 {
		s += fmt.Sprintf(" / %s  %d%%", size(p.Total), int(100*float64(p.Done)/float64(max(p.Total, p.Done))))
	}
	speed := float64(p.Done) / took.Seconds()
	if p.Done == 0 || took < time.Second {
		return s
	}
	s += fmt.Sprintf("  %s/s", size(int64(speed)))
	if left := float64(p.Total - p.Done); left > 0 {
		s += fmt.Sprintf("  %s left", time.Duration(left/speed*float64(time.Second)).Round(time.Second))
	}
	return s
}

// stop erases the line.
func (b *bars) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
}

func (b *bars) erase() {
	if b.width > 0 {
		fmt.Fprint(b.w, "\r", strings.Repeat(" ", b.width), "\r")
		b.width = 0
	}
}
