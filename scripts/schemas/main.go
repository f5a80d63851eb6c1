// SPDX-License-Identifier: MPL-2.0

// Program schemas adds to the output of `tofu providers schema -json` what OpenTofu leaves
// out as it does not know it: the schemas of actions and of list resources. It takes them
// from the provider itself. It reads standard input and writes standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/clocker/terraform-provider-clocker/internal/provider"
)

func main() {
	if err := add(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func add(in io.Reader, out io.Writer) error {
	var all struct {
		FormatVersion string                    `json:"format_version"`
		Providers     map[string]map[string]any `json:"provider_schemas"`
	}
	if err := json.NewDecoder(in).Decode(&all); err != nil {
		return err
	}
	server := provider.NewServer("", provider.Runtime{})()
	schemas, err := server.GetProviderSchema(context.Background(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return err
	}
	actions, lists := map[string]any{}, map[string]any{}
	for name, action := range schemas.ActionSchemas {
		if actions[name], err = described(action.Schema); err != nil {
			return fmt.Errorf("action %s: %w", name, err)
		}
	}
	for name, list := range schemas.ListResourceSchemas {
		if lists[name], err = described(list); err != nil {
			return fmt.Errorf("list resource %s: %w", name, err)
		}
	}
	if len(all.Providers) != 1 {
		return fmt.Errorf("there are the schemas of %d providers, not of one", len(all.Providers))
	}
	for _, p := range all.Providers {
		p["action_schemas"], p["list_resource_schemas"] = actions, lists
	}
	return json.NewEncoder(out).Encode(all)
}

// described is a schema as the command line would print it.
func described(s *tfprotov6.Schema) (any, error) {
	if len(s.Block.BlockTypes) > 0 {
		return nil, errors.New("it has nested blocks, which this program cannot write")
	}
	kind := map[tfprotov6.StringKind]string{tfprotov6.StringKindPlain: "plain", tfprotov6.StringKindMarkdown: "markdown"}
	attributes := map[string]any{}
	for _, a := range s.Block.Attributes {
		if a.NestedType != nil {
			return nil, fmt.Errorf("%s has nested attributes, which this program cannot write", a.Name)
		}
		attributes[a.Name] = map[string]any{
			"type": a.Type, "description": a.Description, "description_kind": kind[a.DescriptionKind],
			"required": a.Required, "optional": a.Optional, "computed": a.Computed, "sensitive": a.Sensitive,
		}
	}
	return map[string]any{"version": s.Version, "block": map[string]any{
		"attributes": attributes, "description": s.Block.Description, "description_kind": kind[s.Block.DescriptionKind],
	}}, nil
}
