package gc

import (
	"time"

	"github.com/mindtrace/registry/store"
)

// Report is what a garbage collection has found and freed.
type Report struct {
	DryRun  bool      `json:"dryRun,omitzero"` // nothing was changed; "freed" is what would be
	Started time.Time `json:"started"`         // by the store's clock; ages are judged by it
	Seconds float64   `json:"seconds"`         // how long it took

	Versions Versions `json:"versions"`
	Listings int      `json:"listings"` // of all versions, until one showed nothing new
	Eras     Eras     `json:"eras"`

	Total      Amount `json:"total"`      // packs found
	Live       Amount `json:"live"`       // of these, kept because live versions name them,
	Tombstones Amount `json:"tombstones"` // because only recently deleted versions do,
	Purged     Amount `json:"purged"`     // because only recently purged versions do, on which saves under way may build,
	Young      Amount `json:"young"`      // because nothing names them but a save may be about to,
	Retained   Amount `json:"retained"`   // because the store refused to delete them;
	Freed      Amount `json:"freed"`      // deleted

	Missing   int           `json:"missing,omitzero"`    // packs that live versions name and the store does not list; see Verify
	Strangers []string      `json:"strangers,omitempty"` // keys that no registry has, such as files of other programs, at most 100; they are left alone
	Leftovers store.Cleaned `json:"leftovers"`           // of killed writers, removed
}

// Versions counts versions.
type Versions struct {
	Live    int `json:"live"`
	Deleted int `json:"deleted"` // recently: they may come back
	Purged  int `json:"purged"`  // deleted for good, by Purge or longer ago: only their numbers are kept
	Waiting int `json:"waiting"` // of Purged, those purged so recently that their packs are kept
	Purging int `json:"purging"` // of Purged, those whose manifests this run removed
}

// Eras counts the eras that have packs.
type Eras struct {
	Total  int `json:"total"`
	Closed int `json:"closed"` // over for so long that what nothing names is freed
}

// Amount is a number of packs, and their bytes.
type Amount struct {
	Packs int   `json:"packs"`
	Bytes int64 `json:"bytes"`
}

func (a *Amount) add(bytes int64) {
	a.Packs++
	a.Bytes += bytes
}
