package registry

import (
	"os"

	"github.com/mindtrace/registry/internal/chunk"
)

// Progress says how far an operation has come. Counts are in bytes of the object's
// files, unless an option says otherwise.
type Progress struct {
	Op    Op     // OpSave, OpLoad, OpCheckout, OpCopy, OpVerify (also for Repair) or OpGC
	Ref   string // name of the object, or reference; for OpGC the step
	Done  int64  // bytes so far
	Total int64  // bytes in all; 0 if not known yet
	// Reused and Stored are for saves and copies: bytes of Done that were stored
	// already, and bytes of packs that were put.
	Reused, Stored int64
	// Finished is set in the last call of an operation that succeeds.
	Finished bool
}

// value returns what opts points to, or the zero value.
func value[T any](opts *T) (o T) {
	if opts != nil {
		o = *opts
	}
	return o
}

// progressOr returns report, or otherwise if report is nil.
func progressOr(report, otherwise func(Progress)) func(Progress) {
	if report == nil {
		return otherwise
	}
	return report
}

// saveProgress returns a callback for a chunk.Writer that calls report. total is
// the expected size, or 0.
func saveProgress(report func(Progress), ref string, total int64) func(chunk.Stats) {
	if report == nil {
		return nil
	}
	return func(s chunk.Stats) {
		report(Progress{Op: OpSave, Ref: ref, Done: s.Read, Total: max(total, s.Read), Reused: s.Reused, Stored: s.Stored})
	}
}

// sizeOf returns the size of a value in bytes, or 0 if it is not known before the
// save.
func sizeOf(v any) int64 {
	switch v := v.(type) {
	case []byte:
		return int64(len(v))
	case string:
		return int64(len(v))
	case Path:
		if fi, err := os.Stat(string(v)); err == nil && fi.Mode().IsRegular() {
			return fi.Size()
		}
	}
	return 0
}
