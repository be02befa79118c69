// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
)

// TestSchemasDescribeWhatIsSent fills each parameter and result type with values
// and compares its JSON with its schema: no member more, no required one less,
// each of its type.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	for _, m := range Methods() {
		for _, zero := range []any{m.Params, m.Result} {
			typ := reflect.TypeOf(zero)
			full := reflect.New(typ)
			fill(full.Elem(), 0)
			for i, v := range []any{zero, full.Elem().Interface()} {
				text, err := json.Marshal(v)
				if err != nil && i == 0 {
					continue // a content id has no zero value
				}
				if err != nil {
					t.Fatalf("%s: %v", m.Name, err)
				}
				var got any
				if err := json.Unmarshal(text, &got); err != nil {
					t.Fatal(err)
				}
				if err := matches(schema(typ, 0), got, typ.Name()); err != nil {
					t.Errorf("%s: %v in %s", m.Name, err, text)
				}
			}
		}
	}
}

// fill gives every settable field a value other than zero.
func fill(v reflect.Value, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	if v.Type() == reflect.TypeFor[content.ID]() {
		v.Set(reflect.ValueOf(content.Sum([]byte("x"))))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"x":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth+1)
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(1)
	}
}

// matches is as much of JSON Schema as the generator writes. A nil slice or map
// of a zero value may print as null.
func matches(s map[string]any, got any, at string) error {
	want, _ := s["type"].(string)
	kind := map[string]bool{}
	switch x := got.(type) {
	case nil:
		kind["array"], kind["string"], kind["object"] = true, true, true
	case bool:
		kind["boolean"] = true
	case string:
		kind["string"] = true
	case float64:
		kind["integer"] = x == float64(int64(x))
	case []any:
		kind["array"] = true
		items, _ := s["items"].(map[string]any)
		for i, e := range x {
			if err := matches(items, e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		kind["object"] = true
		props, _ := s["properties"].(map[string]any)
		for name, e := range x {
			sub, ok := props[name].(map[string]any)
			if !ok && props != nil {
				return fmt.Errorf("%s.%s is not in the schema", at, name)
			}
			if err := matches(sub, e, at+"."+name); err != nil {
				return err
			}
		}
		required, _ := s["required"].([]string)
		for _, name := range required {
			if _, ok := x[name]; !ok {
				return fmt.Errorf("%s.%s is missing", at, name)
			}
		}
	}
	if _, list := got.([]any); list && want == "" {
		return fmt.Errorf("%s is a list that the schema does not know", at) // bytes without a text form
	}
	if want != "" && !kind[want] {
		return fmt.Errorf("%s is %v, not of type %s", at, got, want)
	}
	return nil
}

func TestTheDocumentIsGeneratedFromTheRegistry(t *testing.T) {
	doc := OpenRPC()
	if len(doc.Methods) != len(Methods()) || doc.OpenRPC != "1.3.2" {
		t.Fatalf("%d methods", len(doc.Methods))
	}
	i := slices.IndexFunc(doc.Methods, func(m docMethod) bool { return m.Name == "dataset_list" })
	m := doc.Methods[i]
	if len(m.Params) != 4 || m.Params[0].Name != "limit" || m.Params[0].Required || m.Permission != Read {
		t.Errorf("got %+v", m)
	}
	if got := m.Result.Schema["title"]; got != "List[Dataset]" {
		t.Errorf("the result is called %v", got)
	}
}

// TestUnitsKeepTheirForm holds RPC-02: amounts and weights are decimal strings.
func TestUnitsKeepTheirForm(t *testing.T) {
	for _, c := range []struct {
		schema map[string]any
		want   string
	}{
		{schema(reflect.TypeFor[fixed.Amount](), 0), "string"},
		{schema(reflect.TypeFor[Hash](), 0), "string"},
		{schema(reflect.TypeFor[uint64](), 0), "integer"},
		{schema(reflect.TypeFor[[]byte](), 0), "string"},
		{schema(reflect.TypeFor[Share](), 0)["properties"].(map[string]any)["weight"].(map[string]any), "string"},
	} {
		if c.schema["type"] != c.want {
			t.Errorf("got %v, want %s", c.schema, c.want)
		}
	}
}
