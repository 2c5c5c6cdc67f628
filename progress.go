package registry

import "github.com/mindtrace/registry/internal/chunk"

// Progress tells how far an operation has come. Bytes count the object's
// contents.
type Progress struct {
	Op    Op     // OpSave, OpLoad, OpVerify, OpCopy or OpGC
	Ref   string // name of the object, or reference
	Done  int64  // bytes dealt with
	Total int64  // bytes in all; 0 if not known yet
	// For saves: bytes that were stored already, and bytes put.
	Reused, Stored int64
	// Finished is set in the last call of an operation that succeeded.
	Finished bool
}

// value returns what opts points to, or the zero value.
func value[T any](opts *T) (o T) {
	if opts != nil {
		o = *opts
	}
	return o
}

// progressOr returns report, or else that of the registry.
func (r *Registry) progressOr(report func(Progress)) func(Progress) {
	if report == nil {
		return r.progress
	}
	return report
}

// saveProgress turns the counts of a chunk.Writer into calls of report.
func saveProgress(report func(Progress), ref string, total int64) func(chunk.Stats) {
	if report == nil {
		return nil
	}
	return func(s chunk.Stats) {
		report(Progress{Op: OpSave, Ref: ref, Done: s.Read, Total: max(total, s.Read), Reused: s.Reused, Stored: s.Stored})
	}
}
