package sim

import "fmt"

// scenario is what the clients do.
type scenario struct {
	name         string
	strictLatest bool
	// plan draws what one client does first, alone and undisturbed, and what
	// the others do then, all at once.
	plan func(ch *choices) (before []*op, clients [][]*op)
	// setup and tune, if not nil, change the world before the first and the
	// second part.
	setup, tune func(*run)
}

// contents of files: a pack has room for two.
func content(i int) string { return fmt.Sprintf("content %d of some bytes..", i) }

// planner makes operations.
type planner struct {
	ch *choices
	n  int
}

func (p *planner) files() []string {
	var out []string
	for range 1 + p.ch.draw(3) {
		out = append(out, content(p.ch.draw(4)))
	}
	return out
}

func (p *planner) save(version string) *op {
	p.n++
	o := &op{kind: save, name: "m", version: version, id: fmt.Sprintf("s%d", p.n), files: p.files()}
	return o
}

var versions = []string{"1.0.0", "1.0.1", "1.0.2", "1.0.3"}

// any draws any operation.
func (p *planner) any() *op {
	name := "m"
	if p.ch.often(20) {
		name = "n"
	}
	switch p.ch.draw(12) {
	case 0, 1, 2, 3:
		o := p.save("")
		o.name = name
		if p.ch.often(15) {
			o.base = "m"
		}
		return o
	case 4:
		o := p.save(pick(p.ch, []string{"1.0.1", "1.0.2", "1.0.10", "1.1.0", "1.0.2-rc.1"}))
		o.name = name
		return o
	case 5, 6:
		return &op{kind: load, name: name}
	case 7:
		return &op{kind: load, name: name, version: pick(p.ch, versions)}
	case 8:
		return &op{kind: remove, name: name, version: pick(p.ch, append(versions, "latest", "*"))}
	case 9:
		return &op{kind: undelete, name: name, version: pick(p.ch, versions)}
	}
	return &op{kind: gc}
}

var mixed = &scenario{name: "mixed", plan: func(ch *choices) (before []*op, clients [][]*op) {
	p := &planner{ch: ch}
	for range ch.draw(3) {
		before = append(before, p.save(""))
	}
	for range 2 + ch.draw(3) {
		var ops []*op
		for range 1 + ch.draw(3) {
			ops = append(ops, p.any())
		}
		clients = append(clients, ops)
	}
	return before, clients
}}

var scenarios = []*scenario{mixed}

