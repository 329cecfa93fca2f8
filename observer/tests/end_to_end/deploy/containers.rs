//! The container and Kubernetes run the systemd unit's command line with the same capabilities and those to become nobody,
//! and all references resolve.

use std::{fs, io::Read as _};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{deployed, items, text, unit::Unit, yaml};
use crate::support::{
    helper::{Helper, NO_CAPABILITY, ONLY_PTRACE, privileges_of, status_of},
    machine::Machine,
    peer::{Peer, ask},
    programs::{output_of, program},
    report::Report,
    tool::{PROGRAM, RunningWatch},
};

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = documents.iter().filter(|document| document["kind"] == kind);
    let (first, more) = (of_kind.next(), of_kind.next());
    assert!(more.is_none(), "more than one {kind}");
    first.unwrap_or_else(|| panic!("no {kind}"))
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    items(list).find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

/// Those of the unit, and two more, because a container starts as root.
fn capabilities() -> Vec<String> {
    let unit = Unit::read();
    unit.capabilities().into_iter().chain(["SETUID", "SETGID"]).map(str::to_owned).collect()
}

#[test]
fn container_becomes_nobody_with_its_capabilities() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let mut setpriv = program("setpriv", "util-linux");
    let these = capabilities().join(",+").to_lowercase();
    setpriv.args(["--no-new-privs", "--inh-caps=-all", &format!("--bounding-set=-all,+{these}"), PROGRAM]);
    let mut watch = RunningWatch::start_command(setpriv.args(["-o", "json", "-p", &peer.port().to_string()]));
    let pid = watch.tool.id();
    assert_eq!(status_of(pid, "Uid").split_whitespace().collect::<Vec<_>>(), ["65534"; 4]);
    assert_eq!(privileges_of(pid)[..2], [NO_CAPABILITY; 2]);
    assert_eq!(privileges_of(Helper::of(pid).0)[..2], [ONLY_PTRACE; 2]);
    ask(&mut peer.connect());
    peer.wait_for(1);
    watch.tool.signal(Signal::INT);
    let mut text = watch.first;
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    Report::read(text.lines().map(str::to_owned)).assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
}

#[test]
fn container_and_kubernetes_match_the_unit() {
    let unit = Unit::read();
    let containerfile = fs::read_to_string(deployed("Containerfile")).expect("cannot read the Containerfile");
    let command = containerfile.lines().find_map(|line| line.strip_prefix("CMD ")).expect("a command");
    let command: Vec<String> = serde_json::from_str(command).expect("a list of arguments");
    assert_eq!(command, unit.arguments());
    let names = capabilities().join(",").to_lowercase();
    assert!(
        containerfile.contains(&format!("--cap-drop=all --cap-add={names} ")),
        "the usage comment names the capabilities"
    );

    let documents = yaml("kubernetes/daemonset.yaml");
    let pod = &of_kind(&documents, "DaemonSet")["spec"]["template"]["spec"];
    let watch = named(&pod["containers"], "watch");
    assert_eq!(watch["args"], json!(unit.arguments()));
    let security = &watch["securityContext"];
    assert_eq!(security["capabilities"], json!({ "drop": ["ALL"], "add": capabilities() }));
    assert_eq!((&security["privileged"], &security["allowPrivilegeEscalation"]), (&json!(false), &json!(false)));
    assert_eq!((&pod["hostPID"], &pod["hostNetwork"]), (&json!(true), &json!(true)));
    for container in items(&pod["containers"]) {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{container:#}");
        for mount in items(&container["volumeMounts"]) {
            named(&pod["volumes"], text(&mount["name"]));
        }
    }
}

/// The digests in the manifests are placeholders, but none is missing.
#[test]
fn images_are_named_by_digest() {
    let documents = yaml("kubernetes/daemonset.yaml");
    let pod = &of_kind(&documents, "DaemonSet")["spec"]["template"]["spec"];
    for container in items(&pod["containers"]) {
        let (image, digest) = text(&container["image"]).split_once("@sha256:").expect("an image has a digest");
        assert!(image.contains(':'), "{image} has a tag, for people");
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    }
    let manifest = fs::read_to_string(deployed("kubernetes/daemonset.yaml")).expect("cannot read the manifest");
    assert!(manifest.contains("the zeros are placeholders"), "the manifest says so");
}

#[test]
fn ptrace_is_optional() {
    let (unit, dropped_in) = (Unit::read(), Unit::read().with("tcp-reuse-watch.service.d/without-ptrace.conf"));
    let without: Vec<&str> = unit.capabilities().into_iter().filter(|name| *name != "SYS_PTRACE").collect();
    assert_eq!(dropped_in.capabilities(), without);
    for file in ["Containerfile", "kubernetes/daemonset.yaml"] {
        let contents = fs::read_to_string(deployed(file)).expect("cannot read the file");
        assert!(contents.contains("SYS_PTRACE") && contents.contains("is optional"), "{file} says so");
    }
}

/// Prometheus verifies the certificate that the proxy presents.
#[test]
fn certificate_is_verified() {
    let [daemonset, podmonitor, certificate] =
        ["daemonset", "podmonitor", "certificate"].map(|name| yaml(&format!("kubernetes/{name}.yaml")));
    let tls = &of_kind(&podmonitor, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["tlsConfig"];
    assert_eq!(tls["insecureSkipVerify"], Value::Null);
    let issued = certificate.iter().find(|document| document["spec"]["dnsNames"] != Value::Null);
    let issued = &issued.expect("a certificate with a name")["spec"];
    assert_eq!(issued["dnsNames"], json!([tls["serverName"]]));
    assert_eq!(tls["ca"]["secret"], json!({ "name": issued["secretName"], "key": "ca.crt" }));
    let pod = &of_kind(&daemonset, "DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(named(&pod["volumes"], "tls")["secret"]["secretName"], issued["secretName"]);
    let proxy = named(&pod["containers"], "proxy");
    let folder = text(&named(&proxy["volumeMounts"], "tls")["mountPath"]);
    for argument in [format!("--tls-cert-file={folder}/tls.crt"), format!("--tls-private-key-file={folder}/tls.key")] {
        assert!(items(&proxy["args"]).any(|given| *given == argument), "{argument}");
    }
    // Both certificates are issued in the manifest, the first one by itself.
    let issuers: Vec<&Value> = certificate.iter().filter(|document| document["kind"] == "Issuer").collect();
    for document in certificate.iter().filter(|document| document["kind"] == "Certificate") {
        let signer = &document["spec"]["issuerRef"]["name"];
        assert!(issuers.iter().any(|document| document["metadata"]["name"] == *signer), "{signer}");
    }
}

/// The commands for clusters without cert-manager.
#[test]
fn certificate_made_by_hand_has_the_name() {
    let manifest = fs::read_to_string(deployed("kubernetes/certificate.yaml")).expect("cannot read the manifest");
    let comments: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let script = comments.join("\n");
    let (script, _) = script.split_once("kubectl").expect("openssl comes first");
    let folder = tempdir().expect("cannot create a directory");
    output_of(program("sh", "dash").args(["-ec", script]).current_dir(folder.path()));
    let podmonitor = yaml("kubernetes/podmonitor.yaml");
    let name = &of_kind(&podmonitor, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["tlsConfig"]["serverName"];
    let mut openssl = program("openssl", "openssl");
    openssl.args(["verify", "-CAfile", "tls.crt", "-verify_hostname", text(name), "tls.crt"]);
    assert_eq!(output_of(openssl.current_dir(folder.path())), "tls.crt: OK\n");
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
