// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// paramSet lists the parameters of a method in positional order.
type paramSet []field

// paramsOf returns the parameters of a method whose parameter struct is P.
func paramsOf[P any]() paramSet { return fields(reflect.TypeFor[P]()) }

// decode reads raw, the params member of a request, into the struct that p
// points to: by name, or by position with optional ones left out at the end.
// Unknown names are refused at every depth, required ones must be there, null
// counts as absent. Errors: *Error with CodeInvalidParams. Spec: RPC-01.
func (s paramSet) decode(raw json.RawMessage, p any) error {
	given, err := s.byName(raw)
	if err != nil {
		return err
	}
	for _, f := range s {
		if v, ok := given[f.name]; (!ok || isNull(v)) && !f.optional {
			return invalid(f.name, "is missing")
		}
	}
	for name, v := range given {
		if isNull(v) {
			delete(given, name)
		}
	}
	object, err := json.Marshal(given)
	if err != nil {
		return invalid("", err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.DisallowUnknownFields()
	return explain(d.Decode(p))
}

// byName gives positional parameters their names and refuses unknown ones.
func (s paramSet) byName(raw json.RawMessage) (map[string]json.RawMessage, error) {
	given := map[string]json.RawMessage{}
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0 || isNull(raw):
	case raw[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, invalid("", err.Error())
		}
		if len(list) > len(s) {
			return nil, invalid("", fmt.Sprintf("%d positional parameters given, at most %d taken (%s)", len(list), len(s), s.names()))
		}
		for i, v := range list {
			given[s[i].name] = v
		}
	default:
		if err := json.Unmarshal(raw, &given); err != nil {
			return nil, invalid("", "must be an object or an array")
		}
		for name := range given {
			if !s.has(name) {
				return nil, invalid(name, "is unknown; this method takes "+s.names())
			}
		}
	}
	return given, nil
}

func (s paramSet) has(name string) bool {
	for _, f := range s {
		if f.name == name {
			return true
		}
	}
	return false
}

func (s paramSet) names() string {
	if len(s) == 0 {
		return "no parameters"
	}
	names := make([]string, len(s))
	for i, f := range s {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// explain words a decoding error for a caller who does not read Go.
func explain(err error) error {
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typ):
		return invalid(typ.Field, fmt.Sprintf("a %s does not fit; %s wanted", typ.Value, wanted(typ.Type)))
	}
	return invalid("", strings.TrimPrefix(err.Error(), "json: "))
}

func wanted(t reflect.Type) string {
	kind, _ := schema(t, maxSchemaDepth)["type"].(string)
	if kind == "" {
		kind = "another type"
	}
	return kind
}

// invalid reports parameters that do not have the method's shape.
func invalid(field, why string) *Error {
	message := "invalid parameters: " + why
	if field != "" {
		message = "parameter " + field + ": " + why
	}
	return &Error{CodeInvalidParams, message, ErrorData{Code: "BAD_PARAMS", Field: field, Hint: hintParams}}
}
