// SPDX-License-Identifier: Apache-2.0

// kubernetes: checks manifests against the OpenAPI schema of Kubernetes, which a module of kustomize contains.
//
//	kubernetes < FILE
//
// Prints a line for each object, "KIND NAME", and one for each fault, "PATH: what is wrong"; the status is 1 if there is a fault.
// Beyond the schema it refuses fields that the schema does not name, as `kubectl --validate=strict` does.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

var faults int

func fault(path, format string, args ...any) {
	faults++
	fmt.Printf("%s: %s\n", path, fmt.Sprintf(format, args...))
}

// resolve follows $ref.
func resolve(s *spec.Schema) *spec.Schema {
	for s.Ref.String() != "" {
		name := strings.TrimPrefix(s.Ref.String(), "#/definitions/")
		target, ok := openapi.Schema().Definitions[name]
		if !ok {
			panic("the schema lacks " + name)
		}
		s = &target
	}
	return s
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case int, int64, uint64:
		return "integer"
	case float64:
		return "number"
	}
	return "null"
}

func checkObject(path string, s *spec.Schema, object map[string]any) {
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			fault(path, "lacks %s", name)
		}
	}
	for name, value := range object {
		below := path + "." + name
		if property, ok := s.Properties[name]; ok {
			check(below, &property, value)
		} else if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
			check(below, s.AdditionalProperties.Schema, value)
		} else if len(s.Properties) > 0 {
			fault(below, "there is no such field")
		}
	}
}

func check(path string, s *spec.Schema, value any) {
	s = resolve(s)
	is := kindOf(value)
	wanted := ""
	if len(s.Type) > 0 {
		wanted = s.Type[0]
	}
	// A quantity or a port may be a number or a string.
	loose := s.Format == "int-or-string" || (wanted == "string" && strings.HasPrefix(s.Description, "Quantity "))
	if wanted != "" && is != wanted && !(loose && (is == "integer" || is == "string")) && !(wanted == "number" && is == "integer") {
		fault(path, "is of type %s, not %s", is, wanted)
		return
	}
	switch v := value.(type) {
	case map[string]any:
		checkObject(path, s, v)
	case []any:
		for i, item := range v {
			if s.Items != nil && s.Items.Schema != nil {
				check(fmt.Sprintf("%s[%d]", path, i), s.Items.Schema, item)
			}
		}
	}
}

func main() {
	decoder := kyaml.NewDecoder(os.Stdin)
	for n := 0; ; n++ {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fault("the file", "%v", err)
			break
		}
		version, _ := object["apiVersion"].(string)
		kind, _ := object["kind"].(string)
		schema := openapi.SchemaForResourceType(kyaml.TypeMeta{APIVersion: version, Kind: kind})
		if schema == nil {
			fault(fmt.Sprintf("object %d", n), "there is no %s in %s", kind, version)
			continue
		}
		metadata, _ := object["metadata"].(map[string]any)
		fmt.Printf("%s %v\n", kind, metadata["name"])
		check(kind, schema.Schema, object)
	}
	if faults > 0 {
		os.Exit(1)
	}
}
