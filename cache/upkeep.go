package cache

// Amount is a number of entries, and the bytes of the budget that they take.
type Amount struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"` // sizes rounded up to blocks of 4 KiB
}

// Usage says how much a cache holds.
type Usage struct {
	Dir       string `json:"dir"`
	Budget    int64  `json:"budget"`    // bytes
	Packs     Amount `json:"packs"`     // parts of packs
	Trees     Amount `json:"trees"`     // checked-out versions
	Registers Amount `json:"registers"` // as they were last read, for offline mode
	Partial   Amount `json:"partial"`   // being made, and room set aside
	Total     Amount `json:"total"`     // the sum of all
}

// Usage adds up what is in the cache. It returns an error if it cannot read all of
// it; Check may say why. A cache that does not exist yet is empty.
func (c *Cache) Usage() (*Usage, error) {
	u, err := c.c.Usage()
	if err != nil {
		return nil, err
	}
	return &Usage{
		Dir: c.dir, Budget: c.budget, Packs: Amount(u.Packs), Trees: Amount(u.Trees),
		Registers: Amount(u.Registers), Partial: Amount(u.Partial), Total: Amount(u.Total()),
	}, nil
}

// Prune removes what killed processes have left. Then it drops entries, those that
// were not used for longest first, until the rest takes at most limit bytes. A
// version that was checked out within the last hour stays, unless limit is 0. Files
// that the cache has not made always stay. Prune returns what it has removed, and
// an error if it could not read or remove something.
func (c *Cache) Prune(limit int64) (Amount, error) {
	removed, err := c.c.Prune(limit)
	return Amount(removed), err
}

// VerifyReport says what Verify has found.
type VerifyReport struct {
	Checked Amount `json:"checked"` // read, including what was dropped
	Dropped Amount `json:"dropped"` // damaged, and removed
}

// Verify reads everything in the cache, and removes what is damaged. It returns an
// error if it cannot read or remove something; the report is nil if it cannot read
// the directory at all.
func (c *Cache) Verify() (*VerifyReport, error) {
	r, err := c.c.Verify()
	if r == nil {
		return nil, err
	}
	return &VerifyReport{Checked: Amount(r.Checked), Dropped: Amount(r.Dropped)}, err
}
