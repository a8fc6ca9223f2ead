/** The one manifest of the demo, in OpenYurt's own form: one template, a variant per pool. */

export const PORT = 8080;

/** A turnstile at each terminal, in OpenYurt's form: simulated, so that it takes its time like a real one. */
export function turnstiles(nodes: readonly string[]): string {
  const devices = nodes.map(
    (node) => `apiVersion: iot.openyurt.io/v1alpha1
kind: Device
metadata:
  name: turnstile-${node}
  annotations: {stile.dev/node: ${node}}
spec:
  serviceName: stile
  profileName: turnstile
  notify: true
  protocols:
    sim: {model: turnstile, passMs: "200", releaseMs: "5000"}
`,
  );
  return [profile, ...devices].join('---\n');
}

const profile = `apiVersion: iot.openyurt.io/v1alpha1
kind: DeviceProfile
metadata: {name: turnstile}
spec:
  description: lets one through
  deviceResources:
    - {name: lock, properties: {valueType: String, readWrite: R}}
    - {name: passages, properties: {valueType: Int32, readWrite: R}}
    - {name: passage, tag: event, properties: {valueType: Object, readWrite: R}}
  deviceCommands:
    - name: admit
      readWrite: W
      resourceOperations: [{deviceResource: lock, defaultValue: released}]
`;

export function manifest(keySet: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: ticket-keys
data:
  keys.json: '${keySet}'
---
apiVersion: apps.openyurt.io/v1beta1
kind: YurtAppSet
metadata:
  name: gate
spec:
  pools: [hangzhou, beijing]
  workload:
    workloadTemplate:
      deploymentTemplate:
        metadata:
          labels: {app: gate}
        spec:
          replicas: 2
          selector:
            matchLabels: {app: gate}
          template:
            metadata:
              labels: {app: gate}
              annotations: {stile.dev/twins: 'default.*=get,invoke'}
            spec:
              runtimeClassName: js
              terminationGracePeriodSeconds: 5
              containers:
                - name: gate
                  image: gate:1.0
                  env:
                    - {name: GATE_EVENT, value: expo}
                    - {name: GATE_REGION, value: '{{nodepool-name}}'}
                    - {name: GATE_PORT, value: '${PORT}'}
                  ports:
                    - {containerPort: ${PORT}, hostPort: ${PORT}}
                  readinessProbe:
                    tcpSocket: {port: ${PORT}}
                    periodSeconds: 1
                  volumeMounts:
                    - {name: keys, mountPath: /etc/gate}
                    - {name: ledger, mountPath: /var/ledger}
              volumes:
                - name: keys
                  configMap: {name: ticket-keys}
                - name: ledger
                  emptyDir: {}
    workloadTweaks:
      - pools: [hangzhou]
        tweaks:
          replicas: 4
          patches:
            - {path: /spec/template/spec/containers/0/env/1/value, operation: replace, value: '{{nodepool-name}}'}
      - pools: [beijing]
        tweaks:
          replicas: 2
          containerImages:
            - {name: gate, targetImage: 'gate:1.1'}
          patches:
            - {path: /spec/template/spec/containers/0/env/1/value, operation: replace, value: '{{nodepool-name}} (north gate)'}
`;
}
