// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Setting is one key with its value and where the value comes from.
type Setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Origin  string `json:"origin"` // default, file line N, or the name of a variable
	Help    string `json:"help"`
}

// Show lists every setting in file order, as Load would merge them from the file
// at path and the environment. Errors: ErrConfig.
func Show(path string, env func(string) (string, bool)) ([]Setting, error) {
	c, err := Load(path, env)
	if err != nil {
		return nil, err
	}
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	lines := keyLines(string(text))
	var out []Setting
	for _, k := range table {
		s := Setting{Key: k.Name, Value: c.value(k.Name), Default: Default().value(k.Name), Origin: "default", Help: k.Help}
		if n, ok := lines[k.Name]; ok {
			s.Origin = fmt.Sprintf("file line %d", n)
		}
		if _, ok := env(k.Env()); ok {
			s.Origin = k.Env()
		}
		out = append(out, s)
	}
	return out, nil
}

// Explain returns one setting of a list of Show. Errors: ErrConfig with the
// nearest key.
func Explain(list []Setting, key string) (Setting, error) {
	for _, s := range list {
		if s.Key == key {
			return s, nil
		}
	}
	return Setting{}, fmt.Errorf("%w: unknown key %q; nearest is %q", ErrConfig, key, nearest(key))
}

// Env is the variable that overrides the key: OPENLEDGER_<SECTION>_<KEY>.
func (k Key) Env() string {
	return "OPENLEDGER_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// value prints the field of a key as it is written in the environment.
func (c Config) value(name string) string {
	v := reflect.ValueOf(c)
	for part := range strings.SplitSeq(name, ".") {
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("toml") == part {
				v = v.Field(i)
				break
			}
		}
	}
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}

// keyLines finds the line of each key in a file that Load has accepted.
func keyLines(text string) map[string]int {
	lines, section, n := map[string]int{}, "", 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok && !strings.Contains(line, "=") {
			section, _, _ = strings.Cut(name, "]")
			section = strings.TrimSpace(section) + "."
			continue
		}
		key, _, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") {
			lines[section+strings.TrimSpace(key)] = n
		}
	}
	return lines
}
