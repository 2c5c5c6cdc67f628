package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/beneath"
	"github.com/mindtrace/registry/material"
)

// meddling is material.File, but does something after the first bytes.
type meddling struct {
	material.File
	meanwhile func() error
}

type fullSink interface {
	material.TreeSink
	material.Expecter
}

type meddlingSink struct {
	fullSink
	meanwhile func() error
}

type meddlingWriter struct {
	io.WriteCloser
	meanwhile func() error
}

func (m meddling) Save(ctx context.Context, dst material.Sink, v any) error {
	return m.File.Save(ctx, meddlingSink{dst.(fullSink), sync.OnceValue(m.meanwhile)}, v)
}

func (s meddlingSink) Create(name string) (io.WriteCloser, error) {
	w, err := s.fullSink.Create(name)
	return meddlingWriter{w, s.meanwhile}, err
}

func (w meddlingWriter) Write(p []byte) (int, error) {
	n, err := w.WriteCloser.Write(p)
	return n, errors.Join(err, w.meanwhile())
}

// A file whose change time alone has moved while it was saved is read again.
// If it is the same bytes, only its name or mode was changed, and it is saved;
// if not, its modification time was set back, and the save fails.
func TestChangeTimeMovesDuringASave(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	at := time.Unix(1e9, 0)
	changed := func() time.Time {
		at, ok := beneath.ChangeTime(must[os.FileInfo](t)(os.Stat(file)))
		if !ok {
			t.Skip("no change time here")
		}
		return at
	}
	for _, size := range []int{1000, 5 << 20} {
		for what, test := range map[string]struct {
			change func() error
			saved  bool
		}{
			"mode": {func() error { return os.Chmod(file, 0o640) }, true},
			"bytes": {func() error {
				f, err := os.OpenFile(file, os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = f.WriteAt([]byte("other"), 0)
				return errors.Join(err, os.Chtimes(file, at, at))
			}, false},
		} {
			r, _ := inMemory(t)
			body := noise(1, size)
			if err := errors.Join(os.WriteFile(file, body, 0o600), os.Chtimes(file, at, at)); err != nil {
				t.Fatal(err)
			}
			was := changed()
			meanwhile := func() error {
				for {
					if err := test.change(); err != nil || !changed().Equal(was) {
						return err
					}
				}
			}
			_, err := r.Save(t.Context(), "f", Path(file), WithMaterializer(meddling{meanwhile: meanwhile}))
			if (err == nil) != test.saved || err != nil && !strings.Contains(err.Error(), file+": another process wrote to it") {
				t.Errorf("%d bytes, %s changed: %v", size, what, err)
			}
			if has := must[bool](t)(r.Has(t.Context(), "f")); has != test.saved {
				t.Errorf("%d bytes, %s changed: saved: %t", size, what, has)
			}
			if test.saved && err == nil && !bytes.Equal(mustLoad[[]byte](t, r, "f"), body) {
				t.Errorf("%d bytes, %s changed: other bytes were saved", size, what)
			}
		}
	}
}
