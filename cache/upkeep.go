package cache

// Amount is a number of entries and the bytes of the budget that they take.
type Amount struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// Usage is what a cache holds.
type Usage struct {
	Dir       string `json:"dir"`
	Budget    int64  `json:"budget"`
	Packs     Amount `json:"packs"`     // stretches of packs
	Trees     Amount `json:"trees"`     // checked-out versions
	Registers Amount `json:"registers"` // as last seen, for reading offline
	Partial   Amount `json:"partial"`   // being made, and set aside
	Total     Amount `json:"total"`
}

// Usage adds up what is in the cache. An error means that not all of it could
// be read; see Check, too.
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

// Prune removes what killed processes have left, and drops what was not used
// for longest until the rest takes no more than limit bytes. A tree that was
// checked out within the hour stays, unless limit is 0. Files that are not the
// cache's own stay in any case. It returns what it has removed, and an error if
// there is something that it could not read or remove.
func (c *Cache) Prune(limit int64) (Amount, error) {
	removed, err := c.c.Prune(limit)
	return Amount(removed), err
}

// VerifyReport is what Verify has found.
type VerifyReport struct {
	Checked Amount `json:"checked"`
	Dropped Amount `json:"dropped"` // damaged, and removed
}

// Verify reads everything in the cache and removes what is damaged. An error
// means that not all of it could be read. The report is nil if nothing could.
func (c *Cache) Verify() (*VerifyReport, error) {
	r, err := c.c.Verify()
	if r == nil {
		return nil, err
	}
	return &VerifyReport{Checked: Amount(r.Checked), Dropped: Amount(r.Dropped)}, err
}
