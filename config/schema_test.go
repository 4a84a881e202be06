package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files anew")

// reflectSchema derives the schema from the Go types and their comments.
func reflectSchema(t *testing.T) []byte {
	t.Helper()
	r := &jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: false}
	if err := r.AddGoComments("github.com/facesoft/lapse/config", "."); err != nil {
		t.Fatal(err)
	}
	for name, comment := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(comment), " ")
	}
	s := r.Reflect(&Policy{})
	s.ID = "https://github.com/facesoft/lapse/config/policy.schema.json"
	s.Title = "Lapse policy"
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, '\n')
}

func TestPublishedSchemaIsThatOfTheTypes(t *testing.T) {
	want := reflectSchema(t)
	if *update {
		if err := os.WriteFile("policy.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, PolicySchema) {
		t.Error("policy.schema.json is not what the types say; run: go test ./config -update")
	}
}

func TestSchemaAcceptsThePolicyAndRefusesUnknownKeys(t *testing.T) {
	schema := compileSchema(t)
	var policy map[string]any
	if err := yaml.Unmarshal(Facesoft, &policy); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(asJSON(t, policy)); err != nil {
		t.Errorf("the schema refuses facesoft.yaml: %v", err)
	}
	policy["datasets"].([]any)[0].(map[string]any)["colums"] = []any{}
	if err := schema.Validate(asJSON(t, policy)); err == nil {
		t.Error("the schema accepts an unknown key")
	}
}

func compileSchema(t *testing.T) *validator.Schema {
	t.Helper()
	document, err := validator.UnmarshalJSON(bytes.NewReader(PolicySchema))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("policy.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	document, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return document
}
