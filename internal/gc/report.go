package gc

import (
	"time"

	"github.com/mindtrace/registry/store"
)

// Report says what a collection has found and freed. Its JSON form is stored in
// the marker of the collection.
type Report struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; "freed" is what would be
	Started time.Time `json:"started"`         // by the store's clock; ages are judged by it
	Seconds float64   `json:"seconds"`         // how long it took

	Versions Versions `json:"versions"`
	Listings int      `json:"listings"` // how often the registers were listed
	Eras     Eras     `json:"eras"`

	Total      Amount `json:"total"`      // packs found
	Live       Amount `json:"live"`       // kept: live versions name them
	Tombstones Amount `json:"tombstones"` // kept: only recently deleted versions name them
	Purged     Amount `json:"purged"`     // kept: only recently purged versions name them, and a save under way may reuse them
	Young      Amount `json:"young"`      // kept: no version names them, but a save under way may
	Retained   Amount `json:"retained"`   // not needed, but the store refused to delete them
	Freed      Amount `json:"freed"`      // deleted

	Missing   int           `json:"missing,omitzero"`    // packs that live versions name and the store does not list; run Verify
	Strangers []string      `json:"strangers,omitempty"` // keys that no registry has put, such as files of other programs; at most MaxStrangers; they are left
	Leftovers store.Cleaned `json:"leftovers"`           // of writers that were killed; removed
}

// Versions counts versions.
type Versions struct {
	Live    int `json:"live"`
	Deleted int `json:"deleted"` // recently, so they can be undeleted
	Purged  int `json:"purged"`  // by Purge, or deleted so long ago that they cannot be undeleted
	Waiting int `json:"waiting"` // part of Purged: so recently that their packs are kept
	Purging int `json:"purging"` // part of Purged: their registers were stripped by this collection
}

// Eras counts the eras that have packs.
type Eras struct {
	Total  int `json:"total"`
	Closed int `json:"closed"` // over for so long that packs which no version names are freed
}

// Amount is a number of packs, and their bytes.
type Amount struct {
	Packs int   `json:"packs"`
	Bytes int64 `json:"bytes"`
}

// add counts one pack.
func (a *Amount) add(bytes int64) {
	a.Packs++
	a.Bytes += bytes
}
