/** Patterns of the formats of strings that JSON Schema names; narrower than their standards where that is simpler. */
const year = '(?:19|20)\\d{2}'
const day = `(?:${year}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8])))`
const hour = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?'
const zone = '(?:Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)'
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?'
const host = `${label}(?:\\.${label}){0,4}`
const byte = '(?:25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)'
const path = '(?:/(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}){0,60}){0,8}'

/** A pattern by the name of its format. */
export const stringFormats: Readonly<Record<string, string>> = {
  'date-time': `^${day}T${hour}${zone}$`,
  date: `^${day}$`,
  time: `^${hour}${zone}$`,
  duration: '^P(?:\\d{1,4}W|\\d{1,4}D(?:T\\d{1,4}H(?:\\d{1,4}M)?)?|T\\d{1,4}[HMS])$',
  email: `^[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,3}@${label}(?:\\.${label}){0,2}\\.[A-Za-z]{2,10}$`,
  hostname: `^${host}$`,
  ipv4: `^${byte}(?:\\.${byte}){3}$`,
  ipv6: '^(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$',
  uuid: '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  uri: `^https?://${host}(?::[1-9]\\d{0,3})?${path}(?:\\?[A-Za-z0-9_=&-]{0,60})?$`,
  'uri-reference': `^${path}$`,
  regex: '^[A-Za-z0-9]{1,40}$',
  'json-pointer': '^(?:/[A-Za-z0-9_-]{0,40}){0,8}$',
  base64: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
}
