import type { Machine, PageDevice } from './machine.ts'

interface Props {
  readonly machine: Machine
  readonly value: PageDevice
  readonly onChange: (device: PageDevice) => void
}

/** Where to compute, and what is known of it. */
export const DeviceChoice = ({ machine: { gpu, threads }, value, onChange }: Props) => {
  const rows: { device: PageDevice; title: string; about: string; missing?: boolean }[] = [
    gpu
      ? {
          device: 'webgpu',
          title: 'GPU (WebGPU)',
          about: `${gpu.name}${gpu.float16 ? ', with float16' : ''}${gpu.software ? ', a slow one in software' : ''}`,
        }
      : { device: 'webgpu', title: 'GPU (WebGPU)', about: 'this browser has no WebGPU adapter', missing: true },
    {
      device: 'cpu',
      title: 'CPU (WebAssembly)',
      about: threads === 1 ? 'one thread' : `${threads} threads`,
    },
  ]
  return (
    <fieldset class="devices">
      <legend>Compute on</legend>
      {rows.map(({ device, title, about, missing = false }) => (
        <label key={device} class="choice">
          <input
            type="radio"
            name="device"
            checked={value === device}
            disabled={missing}
            onChange={() => onChange(device)}
          />
          <span>
            {title} <small>{about}</small>
          </span>
        </label>
      ))}
    </fieldset>
  )
}
