package playbook

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled is the published schema.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("playbook.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("playbook.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func TestPlaybooksAreValidByTheSchema(t *testing.T) {
	s := compiled(t)
	files, _ := filepath.Glob("books/*.yaml")
	for _, f := range append(files, "testdata/outside.yaml") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, s, data); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if len(files) < 5 {
		t.Errorf("only %v", files)
	}
}

// What the schema can see it refuses, and it refuses nothing that the program
// takes.
func TestMistakesAreInvalidByTheSchema(t *testing.T) {
	s := compiled(t)
	if err := valid(t, s, []byte(small)); err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		text := []byte(strings.Replace(small, m.old, m.new, 1))
		if err := valid(t, s, text); (err == nil) != m.valid {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// object is a part of the schema.
type object struct {
	Ref        string            `json:"$ref"`
	Properties map[string]object `json:"properties"`
	Items      *object           `json:"items"`
	OneOf      []object          `json:"oneOf"`
	Closed     *bool             `json:"additionalProperties"`
	Defs       map[string]object `json:"$defs"`
}

// TestTheSchemaHasWhatTheFormHas compares both by reflection: every field of the
// file's form is in the schema, and nothing else is.
func TestTheSchemaHasWhatTheFormHas(t *testing.T) {
	var root object
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	resolve := func(o object) object {
		for o.Ref != "" {
			o = root.Defs[strings.TrimPrefix(o.Ref, "#/$defs/")]
		}
		return o
	}
	var same func(path string, form reflect.Type, o object)
	same = func(path string, form reflect.Type, o object) {
		o = resolve(o)
		if form.Kind() == reflect.Slice {
			if o.Items == nil {
				t.Errorf("%s is a list", path)
				return
			}
			same(path+"[]", form.Elem(), *o.Items)
			return
		}
		if form.Kind() != reflect.Struct {
			return
		}
		for _, other := range o.OneOf { // a text for both schemas, or one for each
			if other.Properties != nil {
				o.Properties, o.Closed = other.Properties, other.Closed
			}
		}
		if o.Closed == nil || *o.Closed {
			t.Errorf("%s takes further keys", path)
		}
		var fields []string
		for f := range form.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			fields = append(fields, name)
			if p, ok := o.Properties[name]; ok {
				same(path+"."+name, f.Type, p)
			} else {
				t.Errorf("%s.%s is not in the schema", path, name)
			}
		}
		for name := range o.Properties {
			if !slices.Contains(fields, name) {
				t.Errorf("%s.%s is in the schema only", path, name)
			}
		}
	}
	same("playbook", reflect.TypeFor[Playbook](), root)
}
