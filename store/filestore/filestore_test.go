package filestore_test

import (
	"testing"

	"github.com/mindtrace/registry/store/filestore"
	"github.com/mindtrace/registry/store/storetest"
)

func TestContract(t *testing.T) {
	st, err := filestore.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, storetest.Same(st, 8), &storetest.Options{Rounds: 50, Keys: 20_000})
}

func TestContractBetweenProcesses(t *testing.T) {
	conns := storetest.Processes(t, t.TempDir(), 6)
	storetest.Run(t, conns, &storetest.Options{Rounds: 30, Keys: 200})
}
