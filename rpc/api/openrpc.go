// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
)

// Document is an OpenRPC 1.3 description of the registry.
type Document struct {
	OpenRPC    string         `json:"openrpc"`
	Info       map[string]any `json:"info"`
	Methods    []docMethod    `json:"methods"`
	Components map[string]any `json:"components"`
}

type docMethod struct {
	Name           string     `json:"name"`
	Summary        string     `json:"summary"`
	ParamStructure string     `json:"paramStructure"`
	Params         []docParam `json:"params"`
	Result         docParam   `json:"result"`
	Permission     Perm       `json:"x-permission"`
	Transport      string     `json:"x-transport,omitempty"`
	Example        any        `json:"x-example"`
}

type docParam struct {
	Name     string         `json:"name"`
	Required bool           `json:"required,omitempty"`
	Schema   map[string]any `json:"schema"`
}

// OpenRPC generates the document from the registry's Go types. Positional
// parameters are taken in the order of Params.
func OpenRPC() Document {
	doc := Document{OpenRPC: "1.3.2", Info: map[string]any{"title": "OpenLedger node", "version": "1"},
		Components: map[string]any{"x-errors": Errors()}}
	for _, m := range Methods() {
		d := docMethod{Name: m.Name, Summary: m.Summary, ParamStructure: "either", Permission: m.Perm, Example: json.RawMessage(m.Example),
			Params: []docParam{}, Result: docParam{Name: "result", Schema: schema(reflect.TypeOf(m.Result), 0)}}
		if m.Socket() {
			d.Transport = "websocket"
		}
		for _, f := range fields(reflect.TypeOf(m.Params)) {
			d.Params = append(d.Params, docParam{Name: f.name, Required: !f.optional, Schema: f.schema(0)})
		}
		doc.Methods = append(doc.Methods, d)
	}
	return doc
}

type field struct {
	name     string
	optional bool // may be absent
	quoted   bool // a number written as a string
	typ      reflect.Type
}

func (f field) schema(depth int) map[string]any {
	if f.quoted {
		return map[string]any{"type": "string"}
	}
	return schema(f.typ, depth)
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
		out = append(out, field{name, strings.Contains(opts, "omit"), strings.Contains(opts, "string"), f.Type})
	}
	return out
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
)

const maxSchemaDepth = 6

// schema describes t as JSON Schema. Types with a text form are strings; types
// that write their own JSON are described by what they write.
func schema(t reflect.Type, depth int) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return schema(t.Elem(), depth)
	case t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler):
		return map[string]any{"type": "string", "title": title(t)}
	case t == reflect.TypeFor[json.RawMessage]() || depth > maxSchemaDepth:
		return map[string]any{}
	case t.Implements(jsonMarshaler):
		return schemaOfJSON(t)
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
		return object(t, depth)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	}
	return map[string]any{}
}

func object(t reflect.Type, depth int) map[string]any {
	props, required := map[string]any{}, []string{}
	for _, f := range fields(t) {
		props[f.name] = f.schema(depth + 1)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	return map[string]any{"type": "object", "title": title(t), "properties": props, "required": required, "additionalProperties": false}
}

var packagePath = regexp.MustCompile(`[a-z0-9./]+/[a-z0-9]+\.`)

// title is the type's name without package paths: Object[Datanet].
func title(t reflect.Type) string { return packagePath.ReplaceAllString(t.Name(), "") }

// schemaOfJSON describes the JSON of t's zero value.
func schemaOfJSON(t reflect.Type) map[string]any {
	b, err := json.Marshal(reflect.Zero(t).Interface())
	var v any
	if err != nil || json.Unmarshal(b, &v) != nil {
		return map[string]any{}
	}
	s := schemaOfValue(v)
	s["title"] = title(t)
	return s
}

func schemaOfValue(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		props := map[string]any{}
		for name, x := range v {
			props[name] = schemaOfValue(x)
		}
		return map[string]any{"type": "object", "properties": props}
	case string:
		return map[string]any{"type": "string"}
	case float64:
		return map[string]any{"type": "integer"}
	case bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{}
}
