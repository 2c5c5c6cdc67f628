package registry

import "github.com/mindtrace/registry/internal/chunk"

// Progress tells how far an operation has come. Bytes count the object's
// contents.
type Progress struct {
	Op    string // "save", "load", "verify"
	Ref   string // name of the object, or reference
	Done  int64  // bytes dealt with
	Total int64  // bytes in all; 0 if not known yet
	// For saves: bytes that were stored already, and bytes put.
	Reused, Stored int64
	// Finished is set in the last call of an operation that succeeded.
	Finished bool
}

// saveProgress turns the counts of a chunk.Writer into calls of report.
func saveProgress(report func(Progress), ref string, total int64) func(chunk.Stats) {
	if report == nil {
		return nil
	}
	return func(s chunk.Stats) {
		report(Progress{Op: "save", Ref: ref, Done: s.Read, Total: max(total, s.Read), Reused: s.Reused, Stored: s.Stored})
	}
}
