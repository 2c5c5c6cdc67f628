//go:build !mechanisms

package mechanism

// Everything is on.
const (
	Hash   = true
	Direct = true
	Stage  = true
	Look   = true
	Pace   = 0 // large transfers at once; 0: wrapstore.Pace finds the best number
)
