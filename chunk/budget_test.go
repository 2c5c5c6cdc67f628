package chunk

func noLimit() *Budget {
	b, err := NewBudget(0)
	if err != nil {
		panic(err)
	}
	return b
}
