// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Document is an OpenRPC 1.3 description of the registry.
type Document struct {
	OpenRPC string         `json:"openrpc"`
	Info    map[string]any `json:"info"`
	Methods []docMethod    `json:"methods"`
}

type docMethod struct {
	Name           string         `json:"name"`
	Summary        string         `json:"summary"`
	ParamStructure string         `json:"paramStructure"`
	Params         []docParam     `json:"params"`
	Result         docParam       `json:"result"`
	Permission     string         `json:"x-permission"`
	Example        map[string]any `json:"x-example,omitempty"`
}

type docParam struct {
	Name     string         `json:"name"`
	Required bool           `json:"required,omitempty"`
	Schema   map[string]any `json:"schema"`
}

// OpenRPC generates the document from the registry's Go types.
func OpenRPC() Document {
	doc := Document{OpenRPC: "1.3.2", Info: map[string]any{"title": "OpenLedger node", "version": "1"}}
	for _, m := range Methods() {
		d := docMethod{Name: m.Name, Summary: m.Summary, ParamStructure: "either", Permission: string(m.Perm),
			Params: []docParam{}, Result: docParam{Name: "result", Schema: schema(reflect.TypeOf(m.Result), 0)}}
		for _, f := range fields(reflect.TypeOf(m.Params)) {
			d.Params = append(d.Params, docParam{Name: f.name, Required: !f.optional, Schema: schema(f.typ, 0)})
		}
		if err := json.Unmarshal([]byte(m.Example), &d.Example); err != nil {
			d.Example = nil
		}
		doc.Methods = append(doc.Methods, d)
	}
	return doc
}

type field struct {
	name     string
	optional bool
	typ      reflect.Type
}

// fields flattens embedded structs as encoding/json does.
func fields(t reflect.Type) (out []field) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Tag.Get("json") == "" {
			out = append(out, fields(f.Type)...)
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		out = append(out, field{name, strings.Contains(opts, "omit"), f.Type})
	}
	return out
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

const maxSchemaDepth = 6

// schema describes t as JSON Schema; named text forms are strings.
func schema(t reflect.Type, depth int) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return schema(t.Elem(), depth)
	case t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler):
		return map[string]any{"type": "string", "title": t.Name()}
	case t == reflect.TypeFor[json.RawMessage]() || depth > maxSchemaDepth:
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "contentEncoding": "base64"}
		}
		return map[string]any{"type": "array", "items": schema(t.Elem(), depth+1)}
	case reflect.Struct:
		props := map[string]any{}
		for _, f := range fields(t) {
			props[f.name] = schema(f.typ, depth+1)
		}
		return map[string]any{"type": "object", "title": t.Name(), "properties": props}
	case reflect.Map, reflect.Interface:
		return map[string]any{"type": "object"}
	}
	return map[string]any{"type": "number"}
}
