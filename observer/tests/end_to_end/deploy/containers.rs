//! The container and Kubernetes run the systemd unit's command line with the same capabilities, and all references
//! resolve.

use std::fs;

use serde_json::{Value, json};

use super::{deployed, items, text, unit::Unit, yaml};

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = documents.iter().filter(|document| document["kind"] == kind);
    let (first, more) = (of_kind.next(), of_kind.next());
    assert!(more.is_none(), "more than one {kind}");
    first.unwrap_or_else(|| panic!("no {kind}"))
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    items(list).find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

#[test]
fn container_and_kubernetes_match_the_unit() {
    let unit = Unit::read();
    let containerfile = fs::read_to_string(deployed("Containerfile")).expect("cannot read the Containerfile");
    let command = containerfile.lines().find_map(|line| line.strip_prefix("CMD ")).expect("a command");
    let command: Vec<String> = serde_json::from_str(command).expect("a list of arguments");
    assert_eq!(command, unit.arguments());
    let capabilities = unit.capabilities().join(",").to_lowercase();
    assert!(
        containerfile.contains(&format!("--cap-drop=all --cap-add={capabilities} ")),
        "the usage comment names the capabilities"
    );

    let documents = yaml("kubernetes/daemonset.yaml");
    let pod = &of_kind(&documents, "DaemonSet")["spec"]["template"]["spec"];
    let watch = named(&pod["containers"], "watch");
    assert_eq!(watch["args"], json!(unit.arguments()));
    let security = &watch["securityContext"];
    assert_eq!(security["capabilities"], json!({ "drop": ["ALL"], "add": unit.capabilities() }));
    assert_eq!((&security["privileged"], &security["allowPrivilegeEscalation"]), (&json!(false), &json!(false)));
    assert_eq!((&pod["hostPID"], &pod["hostNetwork"]), (&json!(true), &json!(true)));
    for container in items(&pod["containers"]) {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{container:#}");
        for mount in items(&container["volumeMounts"]) {
            named(&pod["volumes"], text(&mount["name"]));
        }
    }
}

#[test]
fn prometheus_operator_resources_match_the_rules() {
    let (daemonset, podmonitor) = (yaml("kubernetes/daemonset.yaml"), yaml("kubernetes/podmonitor.yaml"));
    let template = &of_kind(&daemonset, "DaemonSet")["spec"]["template"];
    let monitor = &of_kind(&podmonitor, "PodMonitor")["spec"];
    let labels = &template["metadata"]["labels"];
    assert_eq!(&monitor["selector"]["matchLabels"], labels);
    assert_eq!(&of_kind(&daemonset, "DaemonSet")["spec"]["selector"]["matchLabels"], labels);
    let job = &labels[text(&monitor["jobLabel"])];
    assert_eq!(job, &yaml("prometheus/scrape.yml")[0]["scrape_configs"][0]["job_name"]);
    let endpoint = &monitor["podMetricsEndpoints"][0];
    named(&named(&template["spec"]["containers"], "proxy")["ports"], text(&endpoint["port"]));
    let secret = of_kind(&podmonitor, "Secret");
    assert_eq!(endpoint["authorization"]["credentials"]["name"], secret["metadata"]["name"]);
}
