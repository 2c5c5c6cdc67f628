package main

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
)

// small is a store on a disk that is nearly full.
type small struct{ store.Store }

func (s small) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if len(body) > 1<<20 {
		return store.Info{}, &fs.PathError{Op: "write", Path: key, Err: syscall.ENOSPC}
	}
	return s.Store.Put(ctx, key, body, match)
}

// A full disk is not taken for a broken promise.
func TestDoctorOnAFullDisk(t *testing.T) {
	var out strings.Builder
	d := &doctor{app: &app{stdout: &sticky{w: &out}, stderr: io.Discard, output: "human"}, ctx: t.Context()}
	st := small{memstore.New(nil)}
	for range 4 {
		d.conns = append(d.conns, st)
	}
	err := d.promises(2, 20)
	if err == nil || !strings.Contains(err.Error(), "the checks cannot run: there is too little room") || strings.Contains(out.String(), "BROKEN") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// On a full disk it says which commands still work; only those that write to
// the registry need room there.
func TestFullDiskIsHelpedWith(t *testing.T) {
	full := &registry.Error{Op: "save", Ref: "m", Err: &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}}
	for _, writes := range []bool{true, false} {
		var errs strings.Builder
		a := &app{stderr: &errs, ran: "save", writes: writes}
		a.complain(t.Context(), full)
		if got := strings.Contains(errs.String(), "mindreg rm, prune, purge and gc still work"); got != writes {
			t.Errorf("writes %v: %s", writes, errs.String())
		}
	}
}
