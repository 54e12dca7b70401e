package playbook

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheBuiltInBooksHaveNoMistakes(t *testing.T) {
	files, err := filepath.Glob("books/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, problems := Parse(data, f, Catalogue{})
		for _, p := range problems {
			t.Error(p)
		}
	}
}
